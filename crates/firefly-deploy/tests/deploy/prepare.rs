//! The command `prepare`, and deletions, from every state that an earlier run can leave of a stack that SAM deploys.

use firefly_deploy::PrepareError;

use crate::cloud::Cloud;
use crate::{no_environment, stack, status};

const COGNITO: &str = "firefly-cognito";
const POOL: &str = "eu-central-1_Ab1Cd2Ef3";
const FUNCTION: &str = "firefly-func-api-health-get";

async fn prepare(cloud: &Cloud, name: &str) -> Result<(), PrepareError> {
    firefly_deploy::prepare(&cloud.account().await, stack(name)).await
}

async fn delete(cloud: &Cloud, name: &str) -> Result<(), firefly_deploy::DeleteError> {
    firefly_deploy::delete(&cloud.account().await, stack(name), &no_environment(), false).await
}

/// Starts a cloud with the stack of the users in a state, which holds its pool.
async fn with_pool(status: &str, protected: bool) -> Cloud {
    let cloud = Cloud::start().await;
    {
        let mut state = cloud.state();
        state.pools.insert(POOL.to_owned(), protected);
        let stack = state.put_stack(COGNITO, status, "", "");
        stack.resource("UserPool", POOL, "AWS::Cognito::UserPool", "CREATE_COMPLETE", "");
        // The parameter of the deployment that failed says nothing of the pool.
        stack.parameters = [("UserPoolDeletionProtection".to_owned(), "ACTIVE".to_owned())].into();
    }
    cloud
}

#[tokio::test]
async fn a_stack_that_sam_can_deploy_is_left_as_it_is() {
    let cloud = Cloud::start().await;
    prepare(&cloud, "cognito").await.unwrap();
    for state in [
        "REVIEW_IN_PROGRESS",
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
    ] {
        let cloud = with_pool(state, true).await;
        prepare(&cloud, "cognito").await.unwrap();
        assert_eq!(status(&cloud, COGNITO).as_deref(), Some(state));
        assert_eq!(cloud.changes(), [""; 0], "{state}");
    }
}

#[tokio::test]
async fn an_operation_in_progress_is_waited_for_and_a_failed_creation_then_deleted() {
    let cloud = Cloud::start().await;
    cloud.state().put_stack(FUNCTION, "CREATE_IN_PROGRESS", "", "").then =
        ["ROLLBACK_IN_PROGRESS".to_owned(), "ROLLBACK_COMPLETE".to_owned()].into();
    prepare(&cloud, "func-api-health-get").await.unwrap();
    assert_eq!(status(&cloud, FUNCTION), None);
    assert_eq!(cloud.changes(), ["cloudformation:DeleteStack"]);
}

#[tokio::test]
async fn a_creation_that_failed_or_was_interrupted_is_deleted() {
    for name in ["cognito", "api-gateway", "shared-layer", "observability", "func-api-health-get"] {
        for state in ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"] {
            let cloud = Cloud::start().await;
            let stack_name = format!("firefly-{name}");
            cloud.state().put_stack(&stack_name, state, "", "");
            prepare(&cloud, name).await.unwrap();
            assert_eq!(status(&cloud, &stack_name), None, "{name} {state}");
            let expected = format!("{stack_name}: deleting what is left of it, it is {state}");
            assert!(cloud.lines().contains(&expected), "{:?}", cloud.lines());
            // SAM finds no stack and makes one.
            prepare(&cloud, name).await.unwrap();
            assert_eq!(cloud.changes(), ["cloudformation:DeleteStack"]);
        }
    }
}

#[tokio::test]
async fn a_failed_rollback_of_an_update_is_continued() {
    let cloud = Cloud::start().await;
    cloud.state().put_stack(FUNCTION, "UPDATE_ROLLBACK_FAILED", "", "");
    prepare(&cloud, "func-api-health-get").await.unwrap();
    assert_eq!(status(&cloud, FUNCTION).as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
    assert_eq!(cloud.changes(), ["cloudformation:ContinueUpdateRollback"]);
}

/// Such as of a function whose layer version somebody has deleted.
#[tokio::test]
async fn a_rollback_that_fails_again_is_one_line_with_the_way_out() {
    for (name, way_out) in [
        (
            "func-api-health-get",
            "or, since func-api-health-get holds no data, run delete-func-api-health-get and then \
             deploy-func-api-health-get",
        ),
        (
            "api-gateway",
            "or continue the rollback of api-gateway in the console, skipping the resources that fail, and deploy it again",
        ),
    ] {
        let cloud = Cloud::start().await;
        {
            let mut state = cloud.state();
            let stack = state.put_stack(&format!("firefly-{name}"), "UPDATE_ROLLBACK_FAILED", "", "");
            stack.resource("Function", "x", "AWS::Lambda::Function", "UPDATE_FAILED", "");
            state.fail_rollback = Some("Layer version arn:aws:lambda:x:layer:firefly-shared:3 does not exist.");
        }
        let error = prepare(&cloud, name).await.unwrap_err().to_string();
        let expected = format!(
            "the stack firefly-{name} is UPDATE_ROLLBACK_FAILED: Function UPDATE_FAILED: Layer version \
             arn:aws:lambda:x:layer:firefly-shared:3 does not exist.; correct the cause and run again: {way_out}"
        );
        assert_eq!(error, expected);
    }
    // That is a way out.
    let cloud = Cloud::start().await;
    cloud.state().put_stack(FUNCTION, "UPDATE_ROLLBACK_FAILED", "", "");
    delete(&cloud, "func-api-health-get").await.unwrap();
    prepare(&cloud, "func-api-health-get").await.unwrap();
    assert_eq!(status(&cloud, FUNCTION), None);
}

#[tokio::test]
async fn a_failed_creation_of_the_user_pool_has_a_way_out() {
    // The pool was made without protection.
    for state in ["ROLLBACK_FAILED", "CREATE_FAILED"] {
        let cloud = with_pool(state, false).await;
        prepare(&cloud, "cognito").await.unwrap();
        assert_eq!(status(&cloud, COGNITO), None, "{state}");
        assert!(cloud.state().pools.is_empty(), "{state}");
    }
    // An earlier version of this program has protected it.
    for state in ["ROLLBACK_FAILED", "CREATE_FAILED"] {
        let cloud = with_pool(state, true).await;
        let error = prepare(&cloud, "cognito").await.unwrap_err().to_string();
        assert_eq!(error, protected());
        cloud.state().pools.insert(POOL.to_owned(), false);
        // By now it is DELETE_FAILED.
        let error = prepare(&cloud, "cognito").await.unwrap_err().to_string();
        assert_eq!(error, held());
        delete(&cloud, "cognito").await.unwrap();
        prepare(&cloud, "cognito").await.unwrap();
        assert_eq!(status(&cloud, COGNITO), None, "{state}");
    }
}

fn protected() -> String {
    format!(
        "DELETE_FAILED: the user pool {POOL} of the stack firefly-cognito has deletion protection, and the stack cannot be \
         deployed to lift it: turn it off in the console or with `aws cognito-idp update-user-pool --user-pool-id {POOL} \
         --deletion-protection INACTIVE`, which takes the pool and its users with the stack, and run again"
    )
}

fn held() -> String {
    format!(
        "the stack firefly-cognito is DELETE_FAILED and still holds the user pool {POOL}: run delete-cognito, which ends \
         the deletion with the pool and its users, then deploy it again"
    )
}

#[tokio::test]
async fn a_deploy_never_deletes_a_pool_whose_deletion_somebody_has_begun() {
    for protected in [true, false] {
        let cloud = with_pool("DELETE_FAILED", protected).await;
        let error = prepare(&cloud, "cognito").await.unwrap_err().to_string();
        assert_eq!(error, held());
        assert_eq!(cloud.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_stack_of_users_that_takes_no_deployment_is_deleted_or_says_how() {
    for state in ["ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"] {
        let cloud = with_pool(state, true).await;
        let error = delete(&cloud, "cognito").await.unwrap_err().to_string();
        assert_eq!(error, protected(), "{state}");
        assert_eq!(cloud.state().pools.get(POOL), Some(&true));
        cloud.state().pools.insert(POOL.to_owned(), false);
        delete(&cloud, "cognito").await.unwrap();
        assert_eq!(status(&cloud, COGNITO), None, "{state}");
    }
    // Of these a deployment lifts the protection.
    for state in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"] {
        let cloud = with_pool(state, true).await;
        let error = delete(&cloud, "cognito").await.unwrap_err().to_string();
        assert!(
            error.contains("deploy the stack with USER_POOL_DELETION_PROTECTION=INACTIVE and run again"),
            "{error}"
        );
        assert_eq!(cloud.changes(), [""; 0], "{state}");
    }
}

#[tokio::test]
async fn a_user_pool_is_protected_only_once_it_is_made() {
    let params = async |cloud: &Cloud, environment: &[(&str, &str)]| {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        firefly_deploy::params(&cloud.account().await, stack("cognito"), &environment).await.unwrap()
    };
    let cloud = Cloud::start().await;
    let (unprotected, protected) =
        ("UserPoolDeletionProtection: \"INACTIVE\"\n", "UserPoolDeletionProtection: \"ACTIVE\"\n");
    assert!(params(&cloud, &[]).await.contains(unprotected));
    assert_eq!(cloud.lines(), ["the user pool is protected by a second deployment, once it is made"]);
    cloud.state().put_stack(COGNITO, "REVIEW_IN_PROGRESS", "", "");
    assert!(params(&cloud, &[]).await.contains(unprotected));
    for state in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"] {
        let cloud = with_pool(state, false).await;
        assert!(params(&cloud, &[]).await.contains(protected), "{state}");
        let lifted = params(&cloud, &[("USER_POOL_DELETION_PROTECTION", "INACTIVE")]).await;
        assert!(lifted.contains(unprotected), "{state}");
    }
}
