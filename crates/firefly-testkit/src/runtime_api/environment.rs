use std::collections::BTreeMap;

use firefly_templates::FunctionTemplate;

use crate::TestCloud;

/// The template of a function, deployed without layers and AppConfig.
pub fn template(function: &str) -> FunctionTemplate {
    let parameters = [
        ("ApiId", "test"),
        ("AuthorizerId", "test"),
        ("SharedLayerArn", ""),
        ("AppConfigExtensionLayerArn", ""),
        ("AppConfigEnv", ""),
        ("EdgeSecretSha256", ""),
        ("BackupBucketName", ""),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let function = firefly_functions::named(function).expect("the function is listed");
    FunctionTemplate::parse(function.template, &parameters).expect("the template can be read")
}

impl TestCloud {
    /// The environment of a function that works on this cloud's engines: the template's variables, and region,
    /// credentials and endpoints. The credentials may do what the template's role allows.
    pub fn environment_of(&self, template: &FunctionTemplate) -> BTreeMap<String, String> {
        let mut environment = template.environment.clone();
        environment.extend(self.environment_as(&template.name));
        environment
    }
}
