//! Log groups that are left without their stack. They block the next creation of the stack.

use crate::account::Account;
use crate::aws_error::AwsError;

impl Account {
    /// Returns whether there is a log group of this name.
    pub(crate) async fn has_log_group(&self, name: &str) -> Result<bool, AwsError> {
        let mut pages = self.logs.describe_log_groups().log_group_name_prefix(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::call("logs:DescribeLogGroups", error))?;
            if page.log_groups().iter().any(|group| group.log_group_name() == Some(name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes a log group.
    pub(crate) async fn delete_log_group(&self, name: &str) -> Result<(), AwsError> {
        match self.logs.delete_log_group().log_group_name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                Ok(())
            }
            Err(error) => Err(AwsError::call("logs:DeleteLogGroup", error)),
        }
    }
}
