"""Training and fine-tuning of PanEcho: tables of labelled videos, recipes, the loop, and runs that can be served.

Import from the modules:

- ``table``, ``table_check``, ``datasets``: the table of labelled videos, its faults, and public data sets as tables;
- ``recipe``: ``Recipe``, every setting of a run; ``task_choice``: the tasks that it trains;
- ``losses``, ``clip_loader``, ``augmentation``, ``networks``, ``initialisation``: what a step is made of;
- ``trainer``: the loop; ``ranks``: several processes; ``run_folder``, ``checkpoints``: what a run writes;
- ``validation``, ``model_card``: how good it is;
- ``errors``: ``TrainingError``.

Nothing is imported here: torch takes seconds.
"""
