# The same images as in werf.yaml, for builds with Docker or Buildah: docker build --target server .
# werf.dockerfile.yaml builds them with werf from this file.

# Only the files that npm needs, so that a change of the sources does not install the packages again.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
COPY apps/server/package.json apps/server/
COPY apps/worker/package.json apps/worker/
COPY apps/web/package.json apps/web/

FROM packages AS development
RUN --mount=type=cache,target=/root/.npm npm ci

FROM packages AS runtime
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --workspace=apps/server --workspace=apps/worker

FROM development AS web-build
COPY tsconfig.json ./
COPY apps/web apps/web
COPY apps/server/src/contract.ts apps/server/src/
RUN npm run build:web

FROM development AS server-build
COPY tsconfig.json ./
COPY apps/server apps/server
RUN npm run build:server

FROM server-build AS worker-build
COPY apps/worker apps/worker
RUN npm run build:worker

# The build of this image runs the linters and the unit tests. The image itself can run the unit tests again.
FROM development AS tests
COPY . .
RUN npm run pretest && npm run test:unit && chown -R 1000:1000 /app
USER 1000:1000
CMD ["npm", "run", "test:unit"]

FROM node:24-bookworm-slim AS server
ENV NODE_ENV=production
WORKDIR /app
COPY --from=runtime /app/ ./
COPY --from=server-build /app/apps/server/dist apps/server/dist
COPY migrations migrations
COPY fixtures fixtures
COPY --from=web-build /app/apps/web/dist/assets apps/web/dist/assets
USER 1000:1000
EXPOSE 8080 9464
CMD ["node", "apps/server/dist/main.js"]

FROM node:24-bookworm-slim AS worker
ENV NODE_ENV=production
WORKDIR /app
COPY --from=runtime /app/ ./
COPY --from=server-build /app/apps/server/dist apps/server/dist
COPY migrations migrations
COPY --from=worker-build /app/apps/worker/dist apps/worker/dist
USER 1000:1000
EXPOSE 9464
CMD ["node", "apps/worker/dist/main.js"]

FROM nginx:1.28-bookworm AS web
COPY apps/web/nginx.conf /etc/nginx/nginx.conf
COPY --from=web-build /app/apps/web/dist/assets /usr/share/nginx/html/assets
USER 101:101
EXPOSE 8081
CMD ["nginx", "-g", "daemon off;"]
