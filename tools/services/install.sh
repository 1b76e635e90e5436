#!/bin/sh
# Installs Debian packages, and prevents them from starting or enabling a service and from creating a database: install.sh <package>...
set -eu
export DEBIAN_FRONTEND=noninteractive

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d/no-main-cluster.conf
clean_up() {
  rm -f "$clusters"
  [ -z "${own_policy:-}" ] || rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

if [ ! -e "$policy" ]; then
  own_policy=yes
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi
mkdir -p "${clusters%/*}"
echo 'create_main_cluster = false' > "$clusters"

apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"

if command -v systemctl > /dev/null; then
  for unit in postgresql pgbouncer redis-server rabbitmq-server epmd.socket nginx; do
    case " $* " in *" ${unit%.socket} "*) systemctl disable "$unit" > /dev/null 2>&1 || true ;; esac
  done
fi
