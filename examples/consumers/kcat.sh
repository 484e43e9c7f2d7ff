#!/bin/sh
# Print each committed revision on `incidents.triaged` as one line: key, partition, offset, JSON.
#   kcat.sh            follow the topic from its beginning
#   kcat.sh -e         stop at the end of each partition
#   kcat.sh -o end     only what is to come (-o -100: from 100 records before the end)
# Outside a consumer group nothing is committed: it starts where -o says each time. The newest revision of an incident wins, which is the reader's
# work: kcat.sh -e | cut -f 4 | jq -s 'group_by(.incident_id) | map(max_by(.revision))'
set -eu
exec kcat -C -q -u -b "${FLUX_KAFKA_BROKERS:-localhost:9092}" -t "${FLUX_TOPIC_PREFIX:-flux.}incidents.triaged" \
  -X isolation.level=read_committed -o beginning -f '%k\t%p\t%o\t%s\n' "$@"
