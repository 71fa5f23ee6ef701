"""From a checkpoint to a servable model repository: TorchScript, ``config.pbtxt`` and ``tasks.json``.

Import from the modules:

- ``repository``: ``export_checkpoint``, ``export_stand_in`` and ``export_weights``;
- ``variant``: ``Variant``, what an export holds;
- ``precision``: ``best_precision`` and ``convert``; ``served_model``: ``ServedPanEcho``, the model as it is served;
- ``validation``: the exported model against the eager one; ``manifest``: ``ExportManifest``, how it was made;
- ``config_rendering``, ``serving_profiles``: the parts of ``config.pbtxt`` that depend on tasks and machine;
- ``errors``: ``ExportError`` and what derives from it.

Nothing is imported here: torch takes seconds.
"""
