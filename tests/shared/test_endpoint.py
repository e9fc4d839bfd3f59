import pytest

from shared.endpoint import Address, Endpoint
from shared.errors import BrokerError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker.example:1884", Address("broker.example", 1884, False)),
        ("mqtt://127.0.0.1", Address("127.0.0.1", 1883, False)),
        ("mqtts://broker.example/", Address("broker.example", 8883, True)),
        ("mqtt://[::1]:5", Address("::1", 5, False)),
    ],
)
def test_a_url_says_where_and_whether_with_tls(url: str, address: Address) -> None:
    assert Endpoint(url).address() == address


def test_an_address_reads_as_people_write_it() -> None:
    assert str(Endpoint("mqtt://h:1").address()) == "h:1"
    assert str(Endpoint("mqtt://[::1]:5").address()) == "[::1]:5"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker",
        "broker:1883",
        "http://h:80",
        "mqtt://",
        "mqtt://h:port",
        "mqtt://h:70000",
        "mqtt://h/x",
        "mqtt://[::1",
    ],
)
def test_what_is_no_brokers_url_is_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(BrokerError) as caught:
        Endpoint(url).address()
    assert "mqtt://host:port" in caught.value.remedy


@pytest.mark.parametrize("url", ["mqtt://me:secret@h:1", "mqtt://me@h:1", "http://me:secret@h"])
def test_credentials_in_the_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BrokerError, match="credentials in the broker's URL are refused") as caught:
        Endpoint(url).address()
    assert "secret" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Endpoint("mqtt://h:1", "me", "secret"))
