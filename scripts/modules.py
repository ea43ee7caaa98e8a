#!/usr/bin/env python3
"""Import cycles between the modules of a crate, and public type names that two crates share.

    scripts/modules.py cycles CRATE...    fails where modules of a crate import each other in a circle
    scripts/modules.py names              fails where a public type name stands in two crates

A module is a file. Test modules are left out, and so are the `pub use` lines by which a module passes on what lies below it. A
name that a module passes on counts as an import of the module that defines it.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "crates"


def source(path):
    """A file's code without comments, strings and its test modules at the end."""
    text = path.read_text()
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    return re.split(r"#\[cfg\(test\)\]\s*(?:#\[path[^\]]*\]\s*)?(?:pub\(crate\) )?mod \w+", text)[0]


def modules(crate):
    """Module paths (tuples of names) with their code."""
    src = ROOT / crate / "src"
    found = {}
    for path in sorted(src.rglob("*.rs")):
        parts = path.relative_to(src).with_suffix("").parts
        if parts[-1] in ("mod", "lib", "main"):
            parts = parts[:-1]
        found[parts] = source(path)
    return found


def flattened(tree, prefix=()):
    """The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        names = tuple(name.strip() for name in tree.split(" as ")[0].split("::"))
        return [prefix + names] if tree else []
    head = tuple(name.strip() for name in tree[:brace].split("::") if name.strip())
    inner, depth, start, parts = tree[brace + 1 : tree.rfind("}")], 0, 0, []
    for at, char in enumerate(inner):
        depth += char == "{"
        depth -= char == "}"
        if char == "," and depth == 0:
            parts.append(inner[start:at])
            start = at + 1
    parts.append(inner[start:])
    return [path for part in parts for path in flattened(part, prefix + head)]


def passed_on(code):
    """Names that a module passes on by `pub use`, with the path that each stands for."""
    names = {}
    for tree in re.findall(r"pub(?:\([a-z]+\))? use ([^;]+);", code):
        for path in flattened(tree):
            names[path[-1]] = path
    return names


def absolute(path, module):
    """A path from the crate's root; None for another crate's."""
    if path[0] == "crate":
        return path[1:]
    at = module
    if path[0] == "self":
        return module + path[1:]
    if path[0] != "super":
        return None
    while path and path[0] == "super":
        at, path = at[:-1], path[1:]
    return at + path


def resolved(path, found, depth=0):
    """The module in which what a path names is defined."""
    module = ()
    while path and module + path[:1] in found:
        module, path = module + path[:1], path[1:]
    if path and depth < 8:
        target = passed_on(found[module]).get(path[0])
        if target:
            inner = absolute(target, module) if target[0] in ("crate", "self", "super") else module + target
            if inner[: len(module) + 1] in found or inner[:1] in found:
                return resolved(inner, found, depth + 1)
    return module


def imports(found):
    edges = {module: set() for module in found}
    for module, code in found.items():
        rest = re.sub(r"pub(?:\([a-z]+\))? use [^;]+;", "", code)
        paths = [path for tree in re.findall(r"\buse ([^;]+);", rest) for path in flattened(tree)]
        rest = re.sub(r"\buse [^;]+;", "", rest)
        paths += [tuple(p.split("::")) for p in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", rest)]
        # A child that is called by its name alone: `child::function()`.
        children = {m[-1] for m in found if len(m) == len(module) + 1 and m[: len(module)] == module}
        paths += [("self",) + tuple(p.split("::")) for p in re.findall(r"(?<![\w:])[a-z_]\w*(?:::\w+)+", rest) if p.split("::")[0] in children]
        for path in paths:
            path = absolute(path, module)
            if path:
                target = resolved(path, found)
                if target != module:
                    edges[module].add(target)
    return edges


def circles(edges):
    """Strongly connected sets of more than one module (Tarjan)."""
    index, low, stack, on, out, counter = {}, {}, [], set(), [], [0]

    def visit(node):
        index[node] = low[node] = counter[0]
        counter[0] += 1
        stack.append(node)
        on.add(node)
        for next_node in edges[node]:
            if next_node not in index:
                visit(next_node)
                low[node] = min(low[node], low[next_node])
            elif next_node in on:
                low[node] = min(low[node], index[next_node])
        if low[node] == index[node]:
            part = []
            while True:
                member = stack.pop()
                on.discard(member)
                part.append(member)
                if member == node:
                    break
            if len(part) > 1:
                out.append(sorted(part))

    sys.setrecursionlimit(10_000)
    for node in edges:
        if node not in index:
            visit(node)
    return out


def cycles(crates):
    failed = False
    for crate in crates:
        edges = imports(modules(crate))
        for part in circles(edges):
            failed = True
            print(f"layout: crates/{crate}: modules import each other in a circle:", file=sys.stderr)
            for module in part:
                to = ", ".join(sorted("::".join(m) or "(root)" for m in edges[module] if m in part))
                print(f"    {'::'.join(module) or '(root)'} → {to}", file=sys.stderr)
    return failed


def names():
    places = {}
    for path in sorted(ROOT.glob("*/src/**/*.rs")):
        crate = path.relative_to(ROOT).parts[0]
        for name in re.findall(r"^\s*pub (?:struct|enum|trait|union|type) (\w+)", source(path), re.M):
            places.setdefault(name, set()).add(crate)
    shared = {name: crates for name, crates in places.items() if len(crates) > 1}
    for name, crates in sorted(shared.items()):
        print(f"layout: the public type name {name} stands in {', '.join(sorted(crates))}", file=sys.stderr)
    return bool(shared)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("cycles", "names"):
        sys.exit(__doc__)
    sys.exit(cycles(sys.argv[2:]) if sys.argv[1] == "cycles" else names())
