from miniapm import record_deploy

record_deploy(
    git_sha="abc123def456789",
    version="v1.2.3",
    deployer="my-deploy-script",
)
