"""Signatures as Standard Webhooks has them."""

import base64
import hashlib
import hmac

from miniapm.domain.webhooks.signatures import make_headers, make_signing_secret, sign


def test_the_vector_of_the_specification() -> None:
    """From the reference libraries of github.com/standard-webhooks."""
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_headers_name_what_is_signed() -> None:
    secret = make_signing_secret()
    headers = make_headers([secret], 42, 1_700_000_000_999_999, b"{}")
    assert headers["webhook-id"] == "msg_42"
    assert headers["webhook-timestamp"] == "1700000000"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b"msg_42.1700000000.{}", hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_secrets_are_long_enough_and_each_another() -> None:
    secrets = {make_signing_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(len(base64.b64decode(one.removeprefix("whsec_"))) == 32 for one in secrets)


def test_an_old_secret_signs_beside_the_new_one() -> None:
    old, new = make_signing_secret(), make_signing_secret()
    both = make_headers((new, old), 42, 7_000_000, b"{}")["webhook-signature"]
    assert both == f"{sign(new, 'msg_42', 7, b'{}')} {sign(old, 'msg_42', 7, b'{}')}"
