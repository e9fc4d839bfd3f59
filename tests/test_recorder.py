from shared.endpoint import Endpoint
from shared.mqtt import connect
from tests.brokers import Embedded
from tests.recorder import RecordingProxy
from tests.waiting import take, wait_until


def through(embedded_broker: Embedded, proxy: RecordingProxy) -> Endpoint:
    endpoint = embedded_broker.endpoint
    return Endpoint(f"mqtt://127.0.0.1:{proxy.port}", endpoint.username, endpoint.password)


def test_every_byte_is_kept_and_the_directions_are_told_apart(embedded_broker: Embedded) -> None:
    secret = bytes(range(256)) * 900
    with RecordingProxy("127.0.0.1", embedded_broker.endpoint.address().port) as proxy:
        agent = connect(through(embedded_broker, proxy), client_id="agent", filters=["down"])
        other = embedded_broker.join("other", ["up"])
        agent.publish("up", b"from the agent" + secret)
        other.publish("down", b"to the agent")
        take(agent, 1)
        take(other, 1)
        agent.close()
        other.close()
    assert proxy.sent.count(b"from the agent" + secret) == 1
    assert proxy.received.count(b"to the agent") == 1
    assert b"to the agent" not in proxy.sent
    assert b"from the agent" not in proxy.received


def test_a_cut_connection_is_made_again_and_recorded_too(embedded_broker: Embedded) -> None:
    with RecordingProxy("127.0.0.1", embedded_broker.endpoint.address().port) as proxy:
        agent = connect(through(embedded_broker, proxy), client_id="agent", filters=["t"])
        agent.publish("t", b"before")
        take(agent, 1)
        proxy.cut()
        wait_until(lambda: agent.connections == 2, "the agent is connected again")
        agent.publish("t", b"after")
        take(agent, 1)
        agent.close()
    assert b"before" in proxy.sent
    assert b"after" in proxy.sent
