"""Graphs from files: lists of edges or neighbours, GraphML, GML, JSON. Nothing is executed."""

import json
from ast import literal_eval
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree.ElementTree import ParseError

import networkx as nx
import numpy as np

from p2pfl.errors import TopologyError


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeList:
    """A text file with one undirected edge per line: two names, then perhaps a dict of settings.

    ::

        # what follows a # is a comment
        0 1
        1 2 {'latency_ms': 80, 'drop': 0.1}
    """

    path: str
    """Of the file; a relative one is looked for beside the scenario."""
    kind: Literal["edge_list"] = "edge_list"

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Read it. Draws nothing.

        Raises:
            TopologyError: If it is not there or a line cannot be read; names the file and the line.
        """
        file = _found(self.kind, self.path, folder)
        graph: nx.Graph[Any] = nx.Graph()
        for number, line in enumerate(_text(file).splitlines(), start=1):
            words = line.partition("#")[0].split(maxsplit=2)
            if not words:
                continue
            where = f"{file}, line {number}"
            if len(words) == 1:
                raise TopologyError(f"{where}: an edge is two names, got {words[0]!r}")
            source, target = words[:2]
            if graph.has_edge(source, target):
                raise TopologyError(f"{where}: edge ({source}, {target}) is there already")
            graph.add_edge(source, target, **_settings(where, words[2]) if words[2:] else {})
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphML:
    """A GraphML file, directed or not; data of its edges set the links' own latency and so on."""

    path: str
    """Of the file; a relative one is looked for beside the scenario."""
    kind: Literal["graphml"] = "graphml"

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Read it. Draws nothing.

        Raises:
            TopologyError: If it is not there or cannot be read; names the file.
        """
        file = _found(self.kind, self.path, folder)
        try:
            graph: nx.Graph[Any] = nx.read_graphml(file)
        except (ParseError, nx.NetworkXException, ValueError, LookupError, TypeError, OSError) as e:
            raise TopologyError(f"{file} is no GraphML that can be read: {e}") from e
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjacencyList:
    """A text file with one peer per line and behind it the names of neighbours; undirected.

    ::

        # an edge may stand in the lines of both its ends
        a b c
        b c
        d
    """

    path: str
    """Of the file; a relative one is looked for beside the scenario."""
    kind: Literal["adjacency_list"] = "adjacency_list"

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Read it. Draws nothing.

        Raises:
            TopologyError: If it is not there; names the file.
        """
        graph: nx.Graph[Any] = nx.Graph()
        for line in _text(_found(self.kind, self.path, folder)).splitlines():
            words = line.partition("#")[0].split()
            graph.add_nodes_from(words[:1])
            graph.add_edges_from((words[0], name) for name in words[1:])
        return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class GML:
    """A GML file, directed or not; data of its edges set the links' own latency and so on."""

    path: str
    """Of the file; a relative one is looked for beside the scenario."""
    kind: Literal["gml"] = "gml"

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Read it. Draws nothing.

        Raises:
            TopologyError: If it is not there or cannot be read; names the file.
        """
        file = _found(self.kind, self.path, folder)
        try:
            graph: nx.Graph[Any] = _read_gml(file)
        except (nx.NetworkXException, ValueError, LookupError, TypeError, OSError) as error:
            raise TopologyError(f"{file} is no GML that can be read: {error}") from error
        return graph


def _read_gml(file: Path) -> Any:
    try:
        return nx.read_gml(file, label="label")
    except nx.NetworkXError:  # nodes need no label; their names are then their ids
        return nx.read_gml(file, label="id")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLink:
    """A JSON file as networkx's ``node_link_data`` writes it, directed or not."""

    path: str
    """Of the file; a relative one is looked for beside the scenario."""
    kind: Literal["node_link"] = "node_link"

    def build(self, rng: np.random.Generator, folder: Path) -> "nx.Graph[Any]":
        """Read it. Draws nothing. Edges stand under ``edges``, or ``links`` as of old.

        Raises:
            TopologyError: If it is not there or cannot be read; names the file.
        """
        file = _found(self.kind, self.path, folder)
        try:
            data = json.loads(_text(file))
            edges = "links" if "links" in data and "edges" not in data else "edges"
            graph: nx.Graph[Any] = nx.node_link_graph(data, edges=edges)
        except (nx.NetworkXException, ValueError, LookupError, TypeError, AttributeError) as error:
            came = f"{type(error).__name__}: {error}"
            raise TopologyError(f"{file} is no node-link JSON that can be read: {came}") from error
        return graph


def _found(kind: str, path: str, folder: Path) -> Path:
    file = folder / path
    if not file.is_file():
        raise TopologyError(f"{kind}: there is no file {path!r}; looked for {file.absolute()}")
    return file


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise TopologyError(f"{file} cannot be read as text: {error}") from error


def _settings(where: str, text: str) -> dict[str, Any]:
    try:
        data = literal_eval(text)
    except (ValueError, SyntaxError):
        data = None
    if not (isinstance(data, dict) and all(isinstance(name, str) for name in data)):
        raise TopologyError(
            f"{where}: settings look like {{'latency_ms': 80}}, got {text.strip()!r}"
        )
    return data
