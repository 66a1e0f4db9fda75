"""Masking: by name, in values, in text, in source; nothing else is touched."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.scrubbing import MASK, Scrubber, make_scrubber

SCRUBBER = make_scrubber()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "user_password",
        "PASSWORD_CONFIRMATION",
        "client-secret",
        "X-Auth-Token",
        "Authorization",
        "Set-Cookie",
        "api_key",
        "X-Api-Key",
        "apiKey",
        "card_number",
        "http.request.header.authorization",
        "user%5Bpassword%5D",
        "pass\\u0077ord",
        "auth",
        "auth_header",
        "passcode",
        "smsOtp",
        "userPIN",
        "card_pin",
        "ssn",
        "X-Amz-Signature",
    ],
)
def test_such_names_are_secret(name: str) -> None:
    assert SCRUBBER.is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("name", "user", "email", "pass_through", "http.route", "keyboard"),
        *("author", "oauth2", "shipping", "spinCount", "design", "option", "signal"),
    ],
)
def test_such_names_are_not(name: str) -> None:
    assert not SCRUBBER.is_secret(name)


def test_the_setting_adds_names() -> None:
    scrubber = make_scrubber(" iban , Tax_Number,,")
    assert scrubber.is_secret("customer-IBAN")
    assert scrubber.is_secret("tax-number")
    assert scrubber.is_secret("password")
    assert not SCRUBBER.is_secret("iban")


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"password": "a", "b": 1}, {"password": MASK, "b": 1}),
        ({"a": [{"token": {"x": 1}}]}, {"a": [{"token": MASK}]}),
        ({"card": 4111, "cookie": ["a"]}, {"card": MASK, "cookie": MASK}),
        ({"token": None, "secret": "", "password": True}, None),
        ([["Cookie", "a=b"], ["Host", "h"]], [["Cookie", MASK], ["Host", "h"]]),
        ({"name": "Cookie", "value": "a"}, {"name": "Cookie", "value": MASK}),
        ({"name": "Host", "value": "a"}, None),
        ({"url": "https://u:p@h/?token=x&a=b"}, {"url": f"https://{MASK}@h/?token={MASK}&a=b"}),
        ([{"Name": "Cookie", "Value": "x"}], [{"Name": "Cookie", "Value": MASK}]),
        (
            {"key": "db.password", "value": {"stringValue": "x"}},
            {"key": "db.password", "value": MASK},
        ),
        (["app", "--password", "x", "b"], ["app", "--password", MASK, "b"]),
        (["curl", "-u", "ada:x", "h"], ["curl", "-u", f"ada:{MASK}", "h"]),
        (["a", "b", "Authorization", "x"], ["a", "b", "Authorization", MASK]),
        (["id", "password", "name"], None),
        ({"user%5Bpassword%5D": "x"}, {"user%5Bpassword%5D": MASK}),
        ({"a b&token=x": {"c": 1}}, {f"a b&token={MASK}": MASK}),
        ({"proj_abc123": 1}, {MASK: 1}),
        (7, None),
        (None, None),
    ],
)
def test_values(value: Any, masked: Any) -> None:
    assert SCRUBBER.scrub(value) == (value if masked is None else masked)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2", f"password={MASK}"),
        ("password: hunter2, user: ada", f"password: {MASK}, user: ada"),
        ('{"password": "a\\"b", "user": 1}', f'{{"password": {MASK}, "user": 1}}'),
        ('{\\"password\\": \\"x\\", \\"a\\": 1}', f'{{\\"password\\": {MASK}, \\"a\\": 1}}'),
        ("{:api_key=>'x', :a=>1}", f"{{:api_key=>{MASK}, :a=>1}}"),
        ("Authorization: Bearer abc def", f"Authorization: {MASK}"),
        ("Cookie: a=b; c=d\nHost: x", f"Cookie: {MASK}\nHost: x"),
        ("token=Bearer abc", f"token={MASK}"),
        ("https://x.y/a?token=abc&b=1#c", f"https://x.y/a?token={MASK}&b=1#c"),
        ("postgres://user:pw@db/shop", f"postgres://{MASK}@db/shop"),
        ("it said Bearer abcdefghijklmnop.qrs", f"it said Bearer {MASK}"),
        ("the key proj_abc123 is bad", f"the key {MASK} is bad"),
        ("mail ada@example.com", "mail ada@example.com"),
        ("10:30 a=b c: d", "10:30 a=b c: d"),
    ],
)
def test_texts(text: str, masked: str) -> None:
    assert SCRUBBER.scrub_text(text) == masked


def test_source_keeps_its_names_and_calls() -> None:
    assert SCRUBBER.scrub_source("  token = read(x)") == "  token = read(x)"
    assert SCRUBBER.scrub_source('f(password="x", a="b")') == f'f(password={MASK}, a="b")'


def test_places_keep_their_lines() -> None:
    assert SCRUBBER.scrub_place("app/token.rb:12:in `x'") == "app/token.rb:12:in `x'"
    assert SCRUBBER.scrub_place("at f (http://a/b.js?token=x)").endswith(f"?token={MASK})")


TEXTS_WITH_A_SECRET = [
    "user%5Bpassword%5D=s3cr3t&a=1",
    "next=%2Fa%3Ftoken%3Ds3cr3t%26b%3D1",
    "%7B%22password%22%3A%22s3cr3t%22%7D",
    "/a?x=1\\u0026token=s3cr3t",
    "mysql --password s3cr3t -h db",
    "Command '['app', '--password', 's3cr3t']' failed",
    "curl -u user:s3cr3t https://h",
    "curl --user 'user:s3cr3t' https://h",
    '{"credentials": {"u": "}s3cr3t"}, "b": 1}',
    '{\\"credentials\\":{\\"u\\":\\"}s3cr3t\\"}}',
    '{"tokens": ["a", "s3cr3t"]}',
    '{"tokens": ["a", "s3cr3t',
    "password    :     s3cr3t",
    '"password":\n\n    "s3cr3t:x"',
    '{"p\\u0061ssword":"s3cr3t"}',
    '[{"Name":"Cookie","Value":"s3cr3t"}]',
    "{'Name': 'Cookie', 'Value': 's3cr3t'}",
    '{"key":"password","value":{"stringValue":"s3cr3t"}}',
    '{ "value" : {"kvlistValue": {"values": [{"key": "a", "value": "s3cr3t"}]}}, "key": "token" }',
    '{\\"key\\":\\"token\\",\\"value\\":\\"s3cr3t\\"}',
    '[{"key":"a","value":"b"},{"value":{"stringValue":"s3cr3t"},"ke',
    "[('Authorization', 'Bearer s3cr3t')]",
    "<password>s3cr3t</password>",
    "<ns:credentials a='b'><user>s3cr3t</user></ns:credentials>",
    "<password>s3cr3t",
    "X-Amz-Signature=s3cr3t",
    "https://u:a@s3cr3t@h/",
    "pin=s3cr3t",
    "token=b's3cr3t'",
    'password == "s3cr3t"',
    "password: <s3cr3t>",
]


@pytest.mark.parametrize("text", TEXTS_WITH_A_SECRET)
def test_secrets_in_texts_are_masked_however_they_are_written(text: str) -> None:
    masked = SCRUBBER.scrub_text(text)
    assert "s3cr3t" not in masked
    assert MASK in masked
    assert SCRUBBER.scrub_text(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "usage: login <token> [--quiet]",
        "docker run -u 1000:1000 image",
        "Token::Error raised",
        "password:\nuser: ada",
        '[{"name": "a", "value": 1}, {"key": "b", "value": {"stringValue": "c"}}]',
        '["id", "password", "name"]',
        "shipping=4&author=ada",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert SCRUBBER.scrub_text(text) == text


PIECES = ["a", "token", "\\", '\\"', '"', "'", "%41", "%26", "\\u0061", "://a@", "-u=", "-u a:"]
PIECES += [
    "--token ",
    "token=",
    "token:\n ",
    "token=[",
    'token={"',
    "<token>",
    "<token",
    "token%3D",
]
PIECES += ["cookie: ", "'cookie', ", '{"value":', '{"key":"token","value":', "Bearer ", "[", " "]


@pytest.mark.parametrize("before", ["", '{"value":', "token=", "token=[", "<token>"])
def test_hostile_texts_are_masked_in_linear_time(before: str) -> None:
    # what were quadratic takes seconds for each of them
    for piece in PIECES:
        text = before + piece * (50_000 // len(piece))
        began = time.process_time()
        SCRUBBER.scrub_text(text)
        SCRUBBER.scrub_source(text)
        assert time.process_time() - began < 1, piece


@given(st.text(), st.text())
def test_whatever_the_text_a_quoted_secret_does_not_stay(before: str, after: str) -> None:
    text = f'{before}\n"password": "s3cr3t-Xy"\n{after}'
    assert "s3cr3t-Xy" not in SCRUBBER.scrub_text(text) or "s3cr3t-Xy" in before + after


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_masking_again_changes_nothing(value: Any) -> None:
    once = SCRUBBER.scrub(value)
    assert Scrubber().scrub(once) == once


@pytest.mark.parametrize(
    "text",
    ["CardError: declined", "stripe.TokenException: expired", "discarded=12", "max_tokens: 4096"],
)
def test_words_that_only_look_like_secrets_stay(text: str) -> None:
    assert Scrubber().scrub_text(text) == text


@pytest.mark.parametrize("name", ["card_number", "creditCard", "discard_card", "max-tokens-secret"])
def test_secrets_beside_harmless_words_are_masked(name: str) -> None:
    assert Scrubber().scrub({name: "x1"}) == {name: "[masked]"}
