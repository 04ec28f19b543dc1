"""The app, and explorations as files: app, export, import, slim."""

from __future__ import annotations

import argparse
from pathlib import Path

from cfs_explore.cli.outputs import Output
from cfs_explore.locations import locate_run, runs_root


def add(commands) -> None:
    """Add the commands to the parser's."""
    app = commands.add_parser("app", help="open the app in the browser")
    app.add_argument("--port", type=int, help="port (default: the first free one from 8501 on)")
    app.add_argument(
        "--address", default="localhost", help="localhost, the default: this computer only; 0.0.0.0: the whole network"
    )
    app.add_argument("--headless", action="store_true", help="do not open a browser")
    app.set_defaults(command=_app)

    export = commands.add_parser("export", help="an exploration as one zip file")
    export.add_argument("run", help="a run directory, or a bundle's name")
    export.add_argument("file", type=Path, help="the zip to write")
    export.add_argument("--hide-places", action="store_true", help="leave out the paths of its images and backbone")
    export.set_defaults(command=_export, writes=lambda options: Output(options.file))

    take = commands.add_parser("import", help="import an exploration from a zip that `export` or the app wrote")
    take.add_argument("file", type=Path, help="the zip to read")
    take.set_defaults(command=_import, writes=lambda _options: Output(runs_root(), is_folder=True))

    slim = commands.add_parser("slim", help="remove ID-train's stored snapshots from an exploration; its tables stay")
    slim.add_argument("run", help="a run directory, or a bundle's name")
    slim.add_argument("--all", action="store_true", help="remove the stored snapshots of every set")
    slim.set_defaults(command=_slim, writes=lambda options: Output(locate_run(options.run), is_folder=True))


def _app(options: argparse.Namespace) -> None:
    from cfs_explore.ui.server import serve

    serve(options.address, options.port, headless=options.headless)


def _export(options: argparse.Namespace) -> None:
    from cfs_explore.explorations import bundles

    bundles.export(locate_run(options.run), options.file, hide=options.hide_places)
    print(f"Saved: {options.file}")


def _import(options: argparse.Namespace) -> None:
    from cfs_explore.explorations import bundles

    print(f"Imported: {bundles.import_zip(options.file, trusted=True)}")


def _slim(options: argparse.Namespace) -> None:
    from cfs_explore.store import drop_snapshots

    print(f"Freed: {drop_snapshots(locate_run(options.run), everything=options.all) / 1e6:.1f} MB")
