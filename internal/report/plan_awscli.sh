
set -eu
AWS_PAGER=
export AWS_PAGER

say() { printf '%s\n' "$*" >&2; }

stop() {
	say "stopped: $*"
	exit 1
}

# The AWS CLI works in this account.
account=
in_account() {
	[ -n "$account" ] || account=$(aws sts get-caller-identity --query Account --output text)
	[ "$account" = "$1" ] || stop "the AWS CLI works in account $account, and this is of account $1"
}

# kubectl talks to the cluster of this name and region.
cluster=
in_cluster() {
	[ "$cluster" != "$1 $2" ] || return 0
	want=$(aws eks describe-cluster --name "$1" ${2:+--region "$2"} --query cluster.endpoint --output text)
	have=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
	[ "$want" = "$have" ] || stop "kubectl talks to $have, and cluster $1 is $want: choose its context"
	cluster="$1 $2"
}

# The cluster of this name and region has this authentication mode. It takes some minutes.
mode_is() {
	tries=0
	until [ "$(aws eks describe-cluster --name "$1" ${2:+--region "$2"} --query cluster.accessConfig.authenticationMode --output text)" = "$3" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 60 ] || stop "cluster $1 is not in mode $3 after ten minutes"
		sleep 10
	done
	aws eks wait cluster-active --name "$1" ${2:+--region "$2"}
}

# A copy of aws-auth, which overwrites no other.
keep_aws_auth() {
	copy=$(mktemp ./aws-auth.XXXXXX)
	kubectl get configmap -n kube-system aws-auth -o yaml >"$copy"
	say "aws-auth as it is now: $copy"
}

# Somebody says that what cannot be undone is meant.
for_good() {
	[ "${CONFIRM_IRREVERSIBLE-}" = "$1" ] || stop "phase $1 cannot be undone: CONFIRM_IRREVERSIBLE=$1 says that it is meant"
}

# Somebody says that the changes of access are meant, where there are some.
accepted() {
	[ "$equal" = yes ] || [ "${ACCEPT_CHANGES-}" = yes ] || stop 'somebody gains or loses access, or may: ACCEPT_CHANGES=yes says that it is meant'
}

# Steps count from this number on.
start=0
from() {
	case $1 in
	'' | *[!0-9]* | ???????*) stop "$1 is not the number of a step" ;;
	esac
	start=$1
}
