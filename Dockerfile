# One image for every role: docker run IMAGE serve | server | worker | bridge
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md CHANGELOG.md ./
COPY scripts/install scripts/install
COPY gen gen
COPY server server
COPY bridge bridge
RUN scripts/install /opt/techdocs

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="techdocs-service" \
      org.opencontainers.image.description="Builds MkDocs documentation for Backstage entities; gRPC and REST"
# git fetches url: sources; bubblewrap is one more layer around builds where the container lets it start.
# Their versions are Debian's: a pinned one disappears with the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends bubblewrap git \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/techdocs --create-home techdocs
COPY --from=build /opt/techdocs /opt/techdocs
ENV PATH=/opt/techdocs/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TECHDOCS_DATA_DIRECTORY=/var/lib/techdocs \
    TECHDOCS_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/techdocs
VOLUME /var/lib/techdocs
EXPOSE 7070 7071
STOPSIGNAL SIGTERM
ENTRYPOINT ["techdocs"]
CMD ["serve"]
