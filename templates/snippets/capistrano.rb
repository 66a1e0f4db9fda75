require "json"

task :notify_miniapm do
  sha = fetch(:current_revision)
  # a rollback knows its revision from the release that it goes back to
  on(primary(:app)) { sha = capture(:cat, current_path.join("REVISION")) } unless sha
  deploy = { git_sha: sha, deployer: local_user, env: fetch(:stage) }
  system "curl", "-sS", "-m", "5", "--retry", "2",
         "-w", " miniapm: HTTP %{http_code}\\n", "-X", "POST",
         "#{ENV.fetch("MINIAPM_URL", "https://miniapm.example")}/ingest/deploys",
         "-H", "Authorization: Bearer #{ENV["MINIAPM_API_KEY"]}",
         "-H", "Content-Type: application/json", "-d", deploy.to_json
rescue StandardError => error
  warn "miniapm: the deploy was not recorded (#{error.message})"
end
after "deploy:finished", :notify_miniapm
