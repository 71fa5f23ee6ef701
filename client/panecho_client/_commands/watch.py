"""``panecho watch``: from the PACS, and back into it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from panecho_client._clip_options import ClipOptions
from panecho_client._commands.options import Clips, Naming, RequestOptions, ServerOptions, require
from panecho_client._commands.watch_options import PacsOptions, ServiceOptions


def watch(  # noqa: PLR0913 - one argument per group of options
    *,
    output: Annotated[Path, Parameter(metavar="FOLDER")],
    pacs: PacsOptions = PacsOptions(),
    service: ServiceOptions = ServiceOptions(),
    options: RequestOptions = RequestOptions(),
    clip_options: Clips = ClipOptions(),
    server: ServerOptions = ServerOptions(),
) -> int:
    """Predict each study of a PACS once it is stable, and store its reports in the PACS.

    Runs until it is stopped. It may be killed at any time: started again, it goes on, and nothing is predicted or
    stored twice. The folder holds identifiers, because the reports do.

    Exit status: 0 stopped, or done with --once; 1 error; 2 wrong usage; 3 done with --once, but some studies failed;
    5 a server does not answer.

    Args:
        output: Folder of the results, and of what is to be done.
    """
    require(pacs.orthanc or pacs.dicomweb, "Give --orthanc URL or --dicomweb URL.")
    request = options.request(clip_options, Naming(include_identifiers=True))
    from panecho_client._commands.watch_pacs import watch_pacs

    return watch_pacs(output, request, pacs=pacs, service=service, server=server)
