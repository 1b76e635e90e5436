interface Site {
  port: number
  /** For nginx's own files. */
  folder: string
  /** What webpack has written. */
  assets: string
  /** The config.json of this environment. */
  appConfig: string
  /** Ports of the servers behind. */
  servers: number[]
}

/** What an ingress and the web image do in a cluster, in one nginx: files under /assets/, everything else to a server in turn. */
export function nginxConfig({ port, folder, assets, appConfig, servers }: Site): string {
  return `
daemon off;
worker_processes 1;
error_log stderr warn;
pid ${folder}/pid;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  types {
    application/json json;
    image/svg+xml svg;
    text/css css;
    text/javascript js;
  }
  map $http_upgrade $connection_upgrade {
    default upgrade;
    '' '';
  }
  upstream servers {
${servers.map((server) => `    server 127.0.0.1:${server} max_fails=1 fail_timeout=1s;`).join('\n')}
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 20m;
    location = /assets/config.json {
      alias ${appConfig};
      add_header Cache-Control no-cache;
    }
    location ~ "^/assets/([^/]+\\.[0-9a-f]{16,}\\.[a-z0-9]+)$" {
      alias ${assets}/$1;
      gzip_static on;
      add_header Cache-Control "public, max-age=31536000, immutable";
      add_header X-Content-Type-Options nosniff;
    }
    location /assets/ {
      return 404;
    }
    location / {
      proxy_pass http://servers;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_connect_timeout 2s;
      proxy_read_timeout 1h;
    }
  }
}
`
}
