require "json"
require "net/http"

module MiniAPM
  # Records a deploy. Never raises: a deploy must not fail because of its tracker.
  def self.record_deploy(git_sha:, version: nil, deployer: nil, **more)
    url = URI("#{ENV.fetch("MINIAPM_URL", "https://miniapm.example").chomp("/")}/ingest/deploys")
    head = { "Authorization" => "Bearer #{ENV["MINIAPM_API_KEY"]}", "Content-Type" => "application/json" }
    body = { git_sha: git_sha, version: version, deployer: deployer, **more }.to_json
    times = { open_timeout: 5, write_timeout: 5, read_timeout: 5 }
    answer = Net::HTTP.start(url.hostname, url.port, use_ssl: url.scheme == "https", **times) { |http| http.post(url.path, body, head) }
    return true if answer.is_a?(Net::HTTPSuccess)
    warn "miniapm: #{answer.code} #{answer.body}"
  rescue StandardError => error
    warn "miniapm: the deploy was not recorded (#{error.class})"
  end
end

MiniAPM.record_deploy(version: ENV["APP_VERSION"], git_sha: ENV["GIT_SHA"], deployer: "my-deploy-script")
