"""What can go wrong when the embedded server starts.

ServerError
├── PlatformError     this machine lacks something; the text says what to install
├── PortError         a port is taken
├── RepositoryError   the model repository is missing or holds no exported model
└── StartError        tritonserver stopped or did not become ready in time
"""


class ServerError(Exception):
    """Anything that keeps the server from starting; its text says what to do."""


class PlatformError(ServerError):
    """This machine lacks something that the server needs."""


class PortError(ServerError):
    """A port that was asked for is taken."""


class RepositoryError(ServerError):
    """The model repository is missing or holds no exported model."""


class StartError(ServerError):
    """``tritonserver`` stopped, or its models did not become ready in time."""
