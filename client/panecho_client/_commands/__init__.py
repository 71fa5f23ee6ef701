"""The subcommands of ``panecho`` that need nothing but the client."""
