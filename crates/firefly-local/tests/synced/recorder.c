// Records the calls of a process by which files reach the disk and answers reach their readers, in their order: a line
// `CALL PATH` each in the file that CALLS names. Loaded with LD_PRELOAD.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void record(const char *call, const char *path) {
  static int log = -1;
  char line[PATH_MAX + 64];
  const char *name = getenv("CALLS");
  int length = snprintf(line, sizeof line, "%s %s\n", call, path);
  if (log < 0 && name)
    log = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (length > 0)
    syscall(SYS_write, log, line, (size_t)length);
}

static void record_file(const char *call, int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  record(strncmp(path, "socket:", 7) ? call : "send", path);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  record_file("write", fd);
  return syscall(SYS_write, fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  record_file("write", fd);
  return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return pwrite64(fd, bytes, length, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  record_file("write", fd);
  return syscall(SYS_writev, fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  record_file("send", fd);
  return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  record_file("send", fd);
  return syscall(SYS_sendmsg, fd, message, flags);
}

int fsync(int fd) {
  int result = (int)syscall(SYS_fsync, fd);
  record_file("sync", fd);
  return result;
}

int fdatasync(int fd) {
  int result = (int)syscall(SYS_fdatasync, fd);
  record_file("sync", fd);
  return result;
}

int rename(const char *from, const char *to) {
  record("unwritten", from);
  record("entry", to);
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdir(const char *path, mode_t mode) {
  int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  if (result == 0)
    record("entry", path);
  return result;
}
