-- Run once, when the database server is made: the application owns its database and is no superuser.
\getenv password APPLICATION_DB_PASSWORD
CREATE ROLE wijkenergie LOGIN PASSWORD :'password';
CREATE DATABASE wijkenergie OWNER wijkenergie;
