"""Calls of the clients of what follows pipelines and incidents."""

import json

from tests.web.receivers.client_call import ANSIBLE, SHOP, ClientCall

PIPELINES = [
    ClientCall(
        "bigpanda start",
        "/data/events/deployments/start",
        200,
        json.dumps(
            {
                "component": "shop",
                "version": "1.3",
                "hosts": ["vm"],
                "source_system": "ansible",
                "env": "production",
                "owner": "me",
                "description": "d",
            }
        ),
        {
            "git_sha": "1.3",
            "version": "1.3",
            "service": "shop",
            "status": "started",
            "deployer": "me",
            "description": "d",
        },
        lambda error: error["message"],
        {"Authorization": "Bearer KEY", **ANSIBLE},
    ),
    ClientCall(
        "bigpanda end",
        "/data/events/deployments/end",
        200,
        json.dumps(
            {
                "component": "shop",
                "version": "1.3",
                "hosts": ["vm"],
                "errorMessage": "boom",
                "status": "failure",
            }
        ),
        {"git_sha": "1.3", "service": "shop", "status": "failed", "description": "boom"},
        lambda error: error["message"],
        {"Authorization": "Bearer KEY", **ANSIBLE},
    ),
    ClientCall(
        "pagerduty ansible",
        "/v2/change/enqueue",
        202,
        json.dumps(
            {
                "routing_key": "KEY",
                "payload": {
                    "summary": "Deployed shop",
                    "source": "Ansible",
                    "timestamp": "2026-11-21T21:28:49.092246Z",
                    "custom_details": {
                        "user": "me",
                        "repo": "acme/shop",
                        "revision": "b6826b8",
                        "environment": "staging",
                    },
                },
                "links": [{"href": "https://x", "text": "l"}],
            }
        ),
        {
            "git_sha": "b6826b8",
            "env": "staging",
            "deployer": "me",
            "title": "Deployed shop",
            "url": "https://x",
            "repository": None,
            "deployed_at": 1_795_296_529_092_246,
        },
        lambda error: error["message"],
        ANSIBLE,
    ),
    ClientCall(
        "devlake",
        "/api/rest/plugins/webhook/connections/1/deployments",
        200,
        json.dumps(
            {
                "id": "run-17",
                "startedDate": "2026-11-21T21:00:00+00:00",
                "finishedDate": "2026-11-21T21:05:00+00:00",
                "environment": "STAGING",
                "deploymentCommits": [
                    {
                        "repoUrl": SHOP,
                        "commitSha": "015e3d3b480e417aede5a1293bd61de9b0fd051d",
                        "startedDate": "2026-11-21T21:00:00+00:00",
                        "finishedDate": "2026-11-21T21:05:00+00:00",
                    }
                ],
            }
        ),
        {
            "git_sha": "015e3d3b480e417aede5a1293bd61de9b0fd051d",
            "env": "staging",
            "external_id": "run-17",
            "repository": SHOP,
            "started_at": 1_795_294_800_000_000,
            "deployed_at": 1_795_295_100_000_000,
        },
        lambda error: error["message"],
        {"Authorization": "Bearer KEY"},
    ),
]
