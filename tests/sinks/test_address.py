"""Which addresses may be connected to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.sinks.address import reachable

PUBLIC = ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "8.8.8.8")
PRIVATE = ("127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.5.5", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1")
NEVER = ("169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "fe80::1%eth0", "ff02::1", "::", "::ffff:169.254.0.1")
HIDDEN = ("64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address):
    assert reachable(address, private=False)
    assert reachable(address, private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_reached_where_allowed(address):
    assert not reachable(address, private=False)
    assert reachable(address, private=True)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_never_are(address):
    assert not reachable(address, private=False)
    assert not reachable(address, private=True)


@pytest.mark.parametrize("address", HIDDEN)
def test_an_address_inside_another_is_judged(address):
    assert not reachable(address, private=False)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_in_ipv6(address):
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    for private in (False, True):
        assert reachable(str(mapped), private=private) == reachable(str(address), private=private)


@given(st.ip_addresses())
def test_allowing_private_ones_takes_none_away(address):
    assert not reachable(str(address), private=False) or reachable(str(address), private=True)
