"""Who gets which process, and what is refused."""

import re

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.resources import (
    BASE_BYTES,
    MIB,
    PROCESS_BYTES,
    VECTORS_PER_IDLE_CLIENT,
    VECTORS_PER_PEER,
    Runtime,
    gpu_share,
    plan,
)
from graphs.cuts import between
from p2pfl.errors import ResourceError

PLENTY = 1 << 50
VECTOR, DATA = 1 * MIB, 100 * MIB


def packed(peers, peers_per_actor):
    return plan(peers, VECTOR, DATA, Runtime(peers_per_actor=peers_per_actor), PLENTY).actors


def test_one_actor_per_client_by_default():
    assert plan(3, VECTOR, DATA, Runtime(), PLENTY).actors == ((0,), (1,), (2,))
    assert len(plan(10, VECTOR, DATA, Runtime(), PLENTY, cores=1).actors) == 10
    assert len(plan(16, VECTOR, DATA, Runtime(), PLENTY, cores=4).actors) == 16


def test_beyond_that_they_are_packed_evenly():
    def sizes(peers, cores):
        return [len(group) for group in plan(peers, 1, 1, Runtime(), PLENTY, cores=cores).actors]

    assert sizes(1000, 2) == [100] * 10
    assert sizes(11, 2) == [1] * 9 + [2]
    assert sorted(sizes(70, 16)) == [1] * 58 + [2] * 6


def test_auto_packs_into_what_the_memory_holds():
    by_hand = plan(20, VECTOR, DATA, Runtime(peers_per_actor=5), PLENTY)
    packed = plan(20, VECTOR, DATA, Runtime(), by_hand.memory_bytes)
    assert packed == plan(20, VECTOR, DATA, Runtime(peers_per_actor=5), by_hand.memory_bytes)
    with_server = plan(20, VECTOR, DATA, Runtime(), by_hand.memory_bytes, server=True)
    assert len(with_server.actors) == 2 + 1  # its process, and its vectors
    with pytest.raises(ResourceError, match="executor: inline would fit"):
        plan(2, VECTOR, 50 * MIB, Runtime(), 400 * MIB)


def test_clients_that_sit_a_round_out_need_less():
    inline = Runtime(executor="inline")
    all_take_part = plan(10, VECTOR, DATA, inline, PLENTY, server=True)
    assert plan(10, VECTOR, DATA, inline, PLENTY, server=True, participants=12) == all_take_part
    four = plan(10, VECTOR, DATA, inline, PLENTY, server=True, participants=4)
    spared = 6 * (VECTORS_PER_PEER - VECTORS_PER_IDLE_CLIENT) * VECTOR
    assert four.memory_bytes == all_take_part.memory_bytes - spared


def test_packing_is_even_and_in_order():
    assert packed(10, 3) == ((0, 1), (2, 3, 4), (5, 6), (7, 8, 9))
    assert packed(10, 5) == ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
    assert packed(3, 10) == ((0, 1, 2),)


@given(st.integers(1, 200), st.integers(1, 50))
def test_every_peer_is_in_one_actor_and_none_has_too_many(peers, peers_per_actor):
    groups = packed(peers, peers_per_actor)
    assert [peer for group in groups for peer in group] == list(range(peers))
    sizes = {len(group) for group in groups}
    assert max(sizes) <= peers_per_actor
    assert max(sizes) - min(sizes) <= 1


def test_inline_is_one_group_whatever_peers_per_actor_says():
    runtime = Runtime(executor="inline", peers_per_actor=2)
    assert plan(5, VECTOR, DATA, runtime, PLENTY).actors == ((0, 1, 2, 3, 4),)


def test_the_estimate_by_hand():
    shared = 2 * DATA + 4 * VECTORS_PER_PEER * VECTOR
    assert plan(4, VECTOR, DATA, Runtime(), PLENTY).memory_bytes == (
        shared + 4 * PROCESS_BYTES + BASE_BYTES + DATA
    )
    inline = Runtime(executor="inline")
    assert plan(4, VECTOR, DATA, inline, PLENTY).memory_bytes == shared + PROCESS_BYTES
    assert plan(4, VECTOR, DATA, inline, PLENTY).available_bytes == PLENTY


def test_what_just_fits_is_taken_and_a_byte_less_is_refused():
    each = Runtime(peers_per_actor=1)
    needed = plan(4, VECTOR, DATA, each, PLENTY).memory_bytes
    assert plan(4, VECTOR, DATA, each, needed).memory_bytes == needed
    with pytest.raises(ResourceError):
        plan(4, VECTOR, DATA, each, needed - 1)


def test_a_refusal_says_what_came_what_is_there_and_what_would_fit():
    # 100 MiB of data three times, 20 times 8 vectors of 1 MiB; 600 MiB for Ray; 170 MiB a process.
    with pytest.raises(
        ResourceError,
        match=r"^runtime: 20 peers in 20 processes need about 4,460 MiB of memory, "
        r"and 2,000 MiB are free; runtime.peers_per_actor: 4 would fit$",
    ):
        plan(20, VECTOR, 100 * MIB, Runtime(peers_per_actor=1), 2000 * MIB)
    assert len(plan(20, VECTOR, 100 * MIB, Runtime(peers_per_actor=4), 2000 * MIB).actors) == 5


@given(st.integers(1, 100), st.integers(0, 50), st.integers(0, 8000))
def test_what_a_refusal_proposes_fits(peers, vector_mib, available_mib):
    sizes = (peers, vector_mib * MIB, DATA)
    try:
        plan(*sizes, Runtime(peers_per_actor=1), available_mib * MIB)
    except ResourceError as error:
        message = str(error)
    else:
        return
    proposed = re.search(r"peers_per_actor: (\d+) would fit", message)
    if proposed:
        runtime = Runtime(peers_per_actor=int(proposed[1]))
    elif "executor: inline would fit" in message:
        runtime = Runtime(executor="inline")
    else:
        with pytest.raises(ResourceError, match="take fewer peers"):
            plan(*sizes, Runtime(executor="inline"), available_mib * MIB)
        return
    assert plan(*sizes, runtime, available_mib * MIB).memory_bytes <= available_mib * MIB


def test_where_ray_does_not_fit_inline_may():
    with pytest.raises(ResourceError, match=r"400 MiB are free; .*executor: inline would fit"):
        plan(2, VECTOR, 50 * MIB, Runtime(), 400 * MIB)


def test_where_nothing_fits_it_says_what_is_too_large():
    for executor in ("ray", "inline"):
        with pytest.raises(
            ResourceError,
            match=r"2 peers in . process(es)? need .*; the data and the models alone need 216 MiB: "
            r"take fewer peers, fewer samples or a smaller model$",
        ):
            plan(2, VECTOR, 100 * MIB, Runtime(executor=executor), 300 * MIB)


def test_groups_by_the_graph_are_as_large_and_have_few_edges_between():
    graph = nx.relabel_nodes(nx.connected_caveman_graph(3, 4), lambda k: 5 * k % 12)
    runtime = Runtime(peers_per_actor=4, placement="by_graph")
    found = plan(12, 1, 1, runtime, PLENTY, graph=graph).actors
    assert sorted(map(len, found)) == [4, 4, 4]
    by_number = plan(12, 1, 1, Runtime(peers_per_actor=4), PLENTY, graph=graph).actors
    assert between(graph, found) < between(graph, by_number)
    assert plan(12, 1, 1, runtime, PLENTY).actors == by_number  # around a server


def test_peers_per_actor_is_positive():
    with pytest.raises(ValueError, match="peers_per_actor must be >= 1, or auto, got 0"):
        Runtime(peers_per_actor=0)


def test_shares_of_gpus():
    assert gpu_share(5, 2) == 0.3333
    assert gpu_share(4, 2, 0.5) == 0.5
    assert gpu_share(3, 1, 0.25) == 0.25
    with pytest.raises(ResourceError, match=r"0\.4 leaves 4 places on 2 GPUs, and there are 5"):
        gpu_share(5, 2, 0.4)
    with pytest.raises(ResourceError, match="no GPU to give"):
        gpu_share(1, 0)
    with pytest.raises(ValueError, match=r"gpus_per_actor must be in .* got 1\.5"):
        Runtime(gpus_per_actor=1.5)
