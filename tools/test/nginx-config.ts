import { readFileSync } from 'node:fs'

interface Ingress {
  port: number
  /** For nginx's own files. */
  folder: string
  /** Port of the nginx that serves the assets. */
  web: number
  /** Ports of the servers. */
  servers: number[]
}

const runAsWeAre = process.getuid?.() === 0 ? 'user root;' : ''

/** Does what an ingress does in a cluster: sends requests for assets to one nginx, and all others to the servers in turn. */
export function ingressConfig({ port, folder, web, servers }: Ingress): string {
  return `
daemon off;
worker_processes 1;
error_log stderr warn;
pid ${folder}/pid;
${runAsWeAre}
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
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
    location /assets/ {
      proxy_pass http://127.0.0.1:${web};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
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

interface Web {
  port: number
  /** For nginx's own files. */
  folder: string
  /** The folder that contains `assets`. */
  root: string
  /** Port of the server in the same pod. */
  server: number
}

/** The configuration of the image `web`, with paths and ports for a machine outside a container. */
export function webConfig({ port, folder, root, server }: Web): string {
  const config = readFileSync(new URL('../../apps/web/nginx.conf', import.meta.url), 'utf8')
    .replaceAll('/tmp/', `${folder}/`)
    .replace('listen 8081', `listen 127.0.0.1:${port}`)
    .replace('root /usr/share/nginx/html', `root ${root}`)
    .replace('http://127.0.0.1:8080', `http://127.0.0.1:${server}`)
  return `daemon off;\n${runAsWeAre}\n${config}`
}
