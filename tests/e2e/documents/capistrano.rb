after :finishing, :notify_miniapm do
  on roles(:app) do
    execute :curl, "-X POST #{ENV['MINIAPM_URL']}/ingest/deploys",
      "-H 'Authorization: Bearer #{ENV['MINIAPM_API_KEY']}'",
      "-H 'Content-Type: application/json'",
      "-d '{\"git_sha\": \"#{fetch(:current_revision)}\", \"deployer\": \"capistrano\"}'"
  end
end
