# In your deploy script or initializer
MiniAPM.record_deploy(
  version: ENV['APP_VERSION'],
  git_sha: ENV['GIT_SHA'],
  deployer: 'my-deploy-script'
)
