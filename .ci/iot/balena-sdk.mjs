// The npm package `balena-sdk`, 16 or 23, uses a stand-in for the balena API as it uses balena.
//
//   node balena-sdk.mjs URL USER_KEY UUID [DIRECTORY]
//
// URL is the API's, USER_KEY a key of the account's user, UUID that of a device, whose fleet has a service that is installed
// on it. DIRECTORY is the one with `node_modules/balena-sdk`; else that of the call. Variables named SDK_CHECK_… are set and
// removed again. The exit status is 1 at the first difference, which is printed.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const [apiUrl, key, uuid, directory = '.'] = process.argv.slice(2);
assert(apiUrl && key && uuid, 'usage: balena-sdk.mjs URL USER_KEY UUID [DIRECTORY]');

const require = createRequire(join(resolve(directory), 'x'));
const { getSdk } = require('balena-sdk');
const version = Number(require('balena-sdk/package.json').version.split('.')[0]);

// The token is stored in a file.
const dataDirectory = mkdtempSync(join(tmpdir(), 'balena-sdk-'));
process.on('exit', () => rmSync(dataDirectory, { recursive: true }));

/** An SDK with this key. */
async function sdkOf(token, name) {
  const sdk = getSdk({ apiUrl, dataDirectory: join(dataDirectory, name) });
  await sdk.auth.loginWithToken(token);
  return sdk;
}

/** A device API key of another account, and one that is too short. */
const WRONG_KEYS = ['0'.repeat(32), 'x'.repeat(16)];
const sdk = await sdkOf(key, 'user');
const { device: devices, application: applications, service: services } = sdk.models;

const checks = {
  async 'the key is a user’s'() {
    assert.equal(await sdk.auth.isLoggedIn(), true);
    if (version >= 17) {
      assert.equal((await sdk.auth.whoami()).actorType, 'user');
    }
  },

  async 'a device is got by uuid and by id'() {
    const device = await devices.get(uuid);
    assert.equal(device.uuid, uuid);
    assert.equal(typeof device.belongs_to__application.__id, 'number');
    assert.equal(typeof device.is_online, 'boolean');
    assert.equal(typeof device.is_frozen, 'boolean');
    assert('public_address' in device);
    assert.deepEqual(await devices.get(device.id), device);
    assert.equal(await devices.has(uuid), true);
    assert.equal(await devices.isOnline(uuid), version >= 17 ? device.is_connected_to_vpn : device.is_online);
    assert.equal(await devices.getName(uuid), device.device_name);
  },

  async 'an unknown device is not found'() {
    for (const unknown of ['f'.repeat(32), 999_999_999]) {
      await assert.rejects(devices.get(unknown), { code: 'BalenaDeviceNotFound' });
      assert.equal(await devices.has(unknown), false);
    }
  },

  async 'application and services are those of the device'() {
    const { application, names } = await fleet();
    assert.deepEqual(await applications.get(application.id, { $select: 'id' }), { id: application.id });
    assert.equal((await applications.get(application.slug)).app_name, await devices.getApplicationName(uuid));
    const of = (await devices.getAllByApplication(application.id)).map((device) => device.uuid);
    assert(of.includes(uuid));
    assert(names.length >= 1);
    await assert.rejects(applications.get(999_999_999), { code: 'BalenaApplicationNotFound' });
  },

  async 'an expansion has the installed services'() {
    const { service_install: installs } = await devices.get(uuid, {
      $select: ['id'],
      $expand: { service_install: { $select: 'id', $expand: { installs__service: { $select: ['id', 'service_name'] } } } },
    });
    assert(installs.length >= 1);
    assert.equal(typeof installs[0].installs__service[0].service_name, 'string');
    // Nothing runs on the device of a stand-in; 16 has the services by name, 23 in a list.
    const detailed = await devices.getWithServiceDetails(uuid);
    assert.equal(detailed.uuid, uuid);
  },

  async 'a variable of the device is set, changed and removed'() {
    const { id } = await devices.get(uuid, { $select: 'id' });
    const variables = devices.envVar;
    for (const target of [uuid, id]) {
      await roundTrip({
        set: (name, value) => variables.set(target, name, value),
        get: (name) => variables.get(target, name),
        all: async () => await variables.getAllByDevice(target),
        remove: (name) => variables.remove(target, name),
      });
    }
  },

  async 'a variable of a service is set, changed and removed'() {
    const { service } = await fleet();
    const { id } = await devices.get(uuid, { $select: 'id' });
    const variables = devices.serviceVar;
    // Since 17 the SDK takes the name of a service as well.
    const named = version >= 17 ? [service.id, service.service_name] : [service.id];
    for (const target of [uuid, id]) {
      for (const of of named) {
        await roundTrip({
          set: (name, value) => variables.set(target, of, name, value),
          get: (name) => variables.get(target, of, name),
          all: async () => await variables.getAllByDevice(target),
          remove: (name) => variables.remove(target, of, name),
        });
      }
    }
  },

  async 'both kinds have variables of one name'() {
    const { service } = await fleet();
    await devices.envVar.set(uuid, 'SDK_CHECK_BOTH', 'device');
    await devices.serviceVar.set(uuid, service.id, 'SDK_CHECK_BOTH', 'service');
    assert.equal(await devices.envVar.get(uuid, 'SDK_CHECK_BOTH'), 'device');
    assert.equal(await devices.serviceVar.get(uuid, service.id, 'SDK_CHECK_BOTH'), 'service');
    await devices.envVar.remove(uuid, 'SDK_CHECK_BOTH');
    assert.equal(await devices.serviceVar.get(uuid, service.id, 'SDK_CHECK_BOTH'), 'service');
    await devices.serviceVar.remove(uuid, service.id, 'SDK_CHECK_BOTH');
    assert.equal(await devices.serviceVar.get(uuid, service.id, 'SDK_CHECK_BOTH'), undefined);
  },

  async 'a variable that breaks a rule is 400'() {
    for (const [name, value] of [['SDK-CHECK', 'x'], ['RESIN_CHECK', 'x'], ['SDK_CHECK', 'a\nb']]) {
      await assert.rejects(devices.envVar.set(uuid, name, value), { code: 'BalenaRequestError', statusCode: 400 });
    }
  },

  async 'a service that is not the device’s has no variables'() {
    const { service } = await fleet();
    const set = devices.serviceVar.set(uuid, 999_999_999, 'SDK_CHECK', 'x');
    await assert.rejects(set, { code: 'BalenaServiceNotFound' });
    assert.equal(await devices.serviceVar.get(uuid, service.id, 'SDK_CHECK'), undefined);
  },

  async 'a wrong key is 401'() {
    for (const [at, wrong] of WRONG_KEYS.entries()) {
      const stranger = await sdkOf(wrong, `stranger${at}`);
      await assert.rejects(stranger.models.device.get(uuid), { statusCode: 401 });
      await assert.rejects(stranger.models.device.envVar.set(uuid, 'SDK_CHECK', 'x'), { statusCode: 401 });
    }
  },
};

/** The fleet of the device, the names of its services, and one that is installed. */
async function fleet() {
  const device = await devices.get(uuid, {
    $select: 'id',
    $expand: { belongs_to__application: { $select: ['id', 'slug'] }, service_install: { $select: 'installs__service' } },
  });
  const [application] = device.belongs_to__application;
  const all = await services.getAllByApplication(application.id);
  const service = all.find(({ id }) => id === device.service_install[0].installs__service.__id);
  return { application, names: all.map((one) => one.service_name), service };
}

/** Sets, overwrites, lists and removes one variable. */
async function roundTrip({ set, get, all, remove }) {
  const name = 'SDK_CHECK_ONE';
  const listed = async () => (await all()).filter((variable) => variable.name === name).map(({ value }) => value);
  // A value as long and of the same characters as a private key in Base64.
  const long = 'Ab1+/='.repeat(400);
  assert.equal(await get(name), undefined);
  for (const value of ['first', long, 'it’s "quoted" & 100 % ü']) {
    await set(name, value);
    assert.equal(await get(name), value);
    assert.deepEqual(await listed(), [value]);
  }
  for (const _ of [1, 2]) {
    await remove(name);
    assert.equal(await get(name), undefined);
    assert.deepEqual(await listed(), []);
  }
}

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.error(`FAILED: ${name}\n${error.stack}`);
    process.exit(1);
  }
}
console.log(`balena-sdk ${version}: ${Object.keys(checks).length} checks`);
