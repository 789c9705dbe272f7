-- What a server of this version writes, with every column that it knows. :number and :name are filled in.
INSERT INTO sites (id, namespace, kind, name, revision, version, source_etag, create_time, update_time,
                   saved_version)
VALUES (:number, 'default', 'component', ':name', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 7, 'etag',
        '2026-01-15 12:00:00', '2026-01-15 12:00:00', 3);

INSERT INTO revisions (site_id, revision, create_time, manifest_bytes, file_count, size_bytes, build, source_etag,
                       site_name, site_description, is_published, is_pinned)
VALUES (:number, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '2026-01-15 12:00:00', 321, 7, 5000,
        'builds/one', 'etag', 'Docs', '', true, false);

INSERT INTO builds (id, namespace, kind, name, state, create_time, force, revision, source_etag, updated, last_sequence,
                    trigger, owner, isolation, warnings, full_build_reason, phases, attempt, worker)
VALUES ('build-:number', 'default', 'component', ':name', 'queued', '2026-01-15 12:00:00', false, '', '', false, 1,
        'request', '', '', '[]', '', '[]', 1, '');

INSERT INTO events (build_id, sequence, event_time, happening)
VALUES ('build-:number', 1, '2026-01-15 12:00:00', '{"log": {"severity": "info", "text": "hello"}}');

INSERT INTO changes (change_time, namespace, kind, name, action, revision, previous_revision, version, actor, request_id, build)
VALUES ('2026-01-15 12:00:00', 'default', 'component', ':name', 'published', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
        '', 7, 'system', '', 'builds/one');

INSERT INTO blob_leases (namespace, kind, name, sha256, size_bytes, until)
VALUES ('default', 'component', ':name', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 5, '2026-01-15 12:00:00');

INSERT INTO publish_requests (request_id, fingerprint, namespace, kind, name, revision, updated, create_time)
VALUES ('request-:number', 'ff', 'default', 'component', ':name', '', false, '2026-01-15 12:00:00');
