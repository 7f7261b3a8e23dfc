-- What has to be derived again although no reading came. Adds only; nothing stored is touched.
CREATE TABLE derive_again (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    meter       text,
    since       timestamptz,
    until       timestamptz,
    PRIMARY KEY (community, id)
);
