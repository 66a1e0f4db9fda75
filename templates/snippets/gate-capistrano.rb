task :check_miniapm do
  # a rollback has no revision of its own: it is never rolled back in turn
  next unless (sha = fetch(:current_revision))

  server = { "MINIAPM_URL" => ENV.fetch("MINIAPM_URL", "https://miniapm.example") }
  system server, "miniapm", "check", "--sha", sha, "--env", fetch(:stage).to_s
  next if (code = $?.exitstatus) == 0
  next warn "miniapm: NOT CHECKED (exit #{code})" unless code == 1

  system "cap", fetch(:stage).to_s, "deploy:rollback"
  abort "miniapm: #{sha[0, 12]} regressed and was rolled back"
end
after "deploy:finished", :check_miniapm
