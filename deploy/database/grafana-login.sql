-- After dashboards/role.sql: let Grafana's role sign in, with the password of this deployment.
\getenv password GRAFANA_DB_PASSWORD
ALTER ROLE grafana_ro LOGIN PASSWORD :'password';
