//! DeleteObjects.

use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error, ObjectIdentifier};
use s3s::{S3Error, S3Request, S3Result, s3_error};

use crate::object_store::{ObjectStoreError, Version};
use crate::operations::Operations;

/// S3's limit of objects in one request.
const MAX_OBJECTS: usize = 1000;

impl Operations {
    /// Deletes each object of a list; the answer tells what came of each.
    pub(crate) async fn delete_many(&self, request: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = &request.input;
        if delete.objects.is_empty() || delete.objects.len() > MAX_OBJECTS {
            return Err(s3_error!(MalformedXML, "The list has from 1 to {MAX_OBJECTS} objects."));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in &delete.objects {
            match self.delete_one(&request, bucket, object).await {
                Ok(version) => deleted.push(describe(object, version)),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key.clone()),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id.clone(),
                }),
            }
        }
        let is_quiet = delete.quiet.unwrap_or_default();
        Ok(DeleteObjectsOutput {
            deleted: Some(deleted).filter(|_| !is_quiet),
            errors: Some(errors),
            request_charged: None,
        })
    }

    /// Adds a delete marker, or removes the version that is named. An absent version is deleted already.
    pub(crate) async fn delete_one<T>(
        &self,
        request: &S3Request<T>,
        bucket: &str,
        object: &ObjectIdentifier,
    ) -> Result<Option<Version>, S3Error> {
        let action = if object.version_id.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        self.authorize(request.credentials.as_ref(), action)?;
        if object.e_tag.is_some() || object.last_modified_time.is_some() || object.size.is_some() {
            return Err(s3_error!(NotImplemented, "Conditional deletes are not implemented."));
        }
        let (bucket, key, version_id) = (bucket.to_owned(), object.key.clone(), object.version_id.clone());
        self.on_store(move |store| match &version_id {
            Some(id) => store.delete_version(&bucket, &key, id).map(Some).or_else(|error| match error {
                ObjectStoreError::NoSuchVersion => Ok(None),
                other => Err(other),
            }),
            None => store.delete(&bucket, &key).map(Some),
        })
        .await
    }
}

/// An object that was deleted: a marker that was added has an id of its own.
fn describe(object: &ObjectIdentifier, version: Option<Version>) -> DeletedObject {
    let marker = version.filter(|version| version.content.is_none());
    DeletedObject {
        delete_marker: marker.as_ref().map(|_| true),
        delete_marker_version_id: marker.map(|marker| marker.id),
        key: Some(object.key.clone()),
        version_id: object.version_id.clone(),
    }
}
