"""The ring task in Flower's simulation: a ring that its server acts out.

Flower has no links between clients. So in each round the server app sends every client the last
models of its two neighbours, the client averages them with its own, which it keeps in its context,
trains, and answers with what it has: all that a peer would do, by way of one process in the middle.
Run by ``others.py``, in the environment that has Flower.
"""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

PROCESSES = 2
"""Ray actors that run clients; each is given a core."""


def run(parts: list[tuple[Any, Any]], rounds: int, folder: Path) -> None:
    """All rounds. Raises RuntimeError if a client does not answer, or the server app ends early.

    Args:
        parts: Inputs and labels of each client.
        rounds: How many.
        folder: For each client's part, which its process reads.
    """
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from flwr.app import Message, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.serverapp import ServerApp
    from flwr.simulation import run_simulation

    for k, (inputs, labels) in enumerate(parts):
        np.savez(folder / f"{k}.npz", inputs=inputs.numpy(), labels=labels.numpy())
    done: list[int] = []
    server, client = ServerApp(), ClientApp()

    @server.main()
    def main(grid: Any, context: Any) -> None:
        while len(nodes := sorted(grid.get_node_ids())) < len(parts):
            time.sleep(0.1)  # they are still being registered; its own strategies wait so too
        models: dict[int, Any] = {}
        for round_ in range(rounds):
            asked = []
            for k, node in enumerate(nodes):
                beside = (nodes[k - 1], nodes[(k + 1) % len(nodes)])
                content = RecordDict({f"of_{n}": models[n] for n in beside if models})
                asked.append(Message(content, node, "train", group_id=str(round_)))
            for answer in grid.send_and_receive(asked):
                if answer.has_error():
                    raise RuntimeError(f"a client failed: {answer.error.reason}")
                models[answer.metadata.src_node_id] = answer.content["model"]
            if len(models) != len(parts):
                raise RuntimeError(f"{len(models)} of {len(parts)} clients answered")
            done.append(round_)

    @client.train()
    def train(message: Any, context: Any) -> Any:
        return one_round(message, context, folder)

    config = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    config["init_args"] = {"num_cpus": PROCESSES}
    run_simulation(server, client, len(parts), backend_config=config)
    if len(done) != rounds:
        raise RuntimeError(f"{len(done)} of {rounds} rounds were done")


def one_round(message: Any, context: Any, folder: Path) -> Any:
    """A client's: average three models, train, answer."""
    import others
    import torch
    from flwr.app import ArrayRecord, Message, RecordDict

    torch.set_num_threads(1)
    network = others.cnn()
    received = [message.content[name].to_torch_state_dict() for name in message.content]
    if received:
        models = [context.state["model"].to_torch_state_dict(), *received]
        network.load_state_dict(
            {name: torch.stack([model[name] for model in models]).mean(dim=0) for name in models[0]}
        )
    with np.load(folder / f"{context.node_config['partition-id']}.npz") as file:
        inputs, labels = (torch.from_numpy(file[name]) for name in ("inputs", "labels"))
    optimiser = torch.optim.SGD(network.parameters(), lr=others.LR)
    for batch in torch.randperm(len(labels)).split(others.BATCH):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
        optimiser.step()
    context.state["model"] = ArrayRecord(network.state_dict())
    return Message(RecordDict({"model": context.state["model"]}), reply_to=message)
