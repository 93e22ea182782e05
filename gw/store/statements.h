// SPDX-License-Identifier: BSD-3-Clause
// The table of prepared statements. Each is written in one line of it, and sql.c prepares it for a
// connection when it is first used.

#ifndef POSTERN_GW_STORE_STATEMENTS_H
#define POSTERN_GW_STORE_STATEMENTS_H

#include "gw/store/hashes.h"
#include "gw/store/settings.h"

// Those that row_read() reads.
#define STORE_DEVICE_COLUMNS                                                         \
	"id, name, device_id, gateway_id, id_context, algorithm, keys, sender_hash," \
	" recipient_hash, run_base, created, recovery, own_piv, mark, resync,"       \
	" rederive, rederived, rederived_at, secret_hash,"                           \
	" CASE WHEN rederive > 0 THEN secret END, credential,"                       \
	" credential_kid" STORE_SETTINGS(STORE_SETTING_COLUMN)
#define STORE_DEVICE_SELECT "SELECT " STORE_DEVICE_COLUMNS " FROM device "

#define STORE_STATEMENTS(X)                                                                        \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                \
	X(COMMIT, "COMMIT")                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                    \
	X(DEVICE_INSERT,                                                                           \
		"INSERT INTO device (id, name, device_id, gateway_id, id_context,"                 \
		" algorithm, keys, secret, sender_hash, recipient_hash, run_base, created,"        \
		" recovery, own_piv, mark, resync, rederive, rederived, rederived_at,"             \
		" secret_hash, credential, credential_kid" STORE_SETTINGS(                         \
			STORE_SETTING_COLUMN) ") VALUES "                                          \
					      "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?"  \
					      "15,?16,?17,0,0,"                                    \
					      "?18,?19,?20" STORE_SETTINGS(                        \
						      STORE_SETTING_PLACE) ")")                    \
	X(DEVICE_DELETE, "DELETE FROM device WHERE id = ?1")                                       \
	X(DEVICE_BY_ID, STORE_DEVICE_SELECT "WHERE id = ?1")                                       \
	X(DEVICE_BY_NAME, STORE_DEVICE_SELECT "WHERE name = ?1")                                   \
	X(DEVICE_BY_ADDRESS,                                                                       \
		STORE_DEVICE_SELECT "WHERE device_id = ?1 AND ifnull(id_context, 0) = ?2")         \
	X(DEVICE_PAGE, STORE_DEVICE_SELECT "WHERE name > ?1 ORDER BY name LIMIT ?2")               \
	X(DEVICE_BY_KID, STORE_DEVICE_SELECT "WHERE device_id = ?1 AND id <> ?2 LIMIT 1")          \
	X(KIDS_COUNT, "SELECT count(*) FROM device WHERE credential_kid = ?1")                     \
	X(DEVICE_LOAD,                                                                             \
		"SELECT " STORE_DEVICE_COLUMNS ", w.next, w.bits, w.tag FROM device d"             \
		" LEFT JOIN window w ON w.device = d.id ORDER BY d.id")                            \
	X(DEVICE_REDERIVE,                                                                         \
		"UPDATE device SET id_context = ?2, keys = ?3, sender_hash = ?4,"                  \
		" recipient_hash = ?5, run_base = ?6, rederived = ?7, rederived_at = ?8"           \
		" WHERE id = ?1")                                                                  \
	X(KEY_FORGET, "DELETE FROM used_key WHERE hash = ?1 AND device = ?2")                      \
	X(DEVICE_SECRET, "SELECT secret FROM device WHERE id = ?1")                                \
	X(DEVICE_STATE,                                                                            \
		"UPDATE device SET run_base = ?2, mark = ?3, resync = ?4, keys = ?5"               \
		" WHERE id = ?1")                                                                  \
	X(DEVICE_SETTINGS,                                                                         \
		"UPDATE device SET created = created" STORE_SETTINGS(                              \
			STORE_SETTING_SET) " WHERE id = :id")                                      \
	X(DEVICE_FROM, STORE_DEVICE_SELECT "WHERE id > ?1 ORDER BY id LIMIT ?2")                   \
	X(DEVICE_BASED, STORE_DEVICE_SELECT "WHERE id > ?1 AND run_base > 0 ORDER BY id LIMIT 1")  \
	X(DEVICE_FLOORS, STORE_DEVICE_SELECT "WHERE id > ?1 AND recovery = 1 ORDER BY id LIMIT 1") \
	X(CHECK_NAME, "SELECT id FROM device INDEXED BY device_name WHERE name = ?1")              \
	X(CHECK_ADDRESS,                                                                           \
		"SELECT id FROM device INDEXED BY device_address"                                  \
		" WHERE device_id = ?1 AND ifnull(id_context, 0) = ?2")                            \
	X(CHECK_DEVICE, "SELECT name, device_id, ifnull(id_context, 0) FROM device WHERE id = ?1") \
	X(CHECK_NAMES,                                                                             \
		"SELECT name, id FROM device INDEXED BY device_name WHERE name > ?1"               \
		" ORDER BY name")                                                                  \
	X(CHECK_NEIGHBOURS,                                                                        \
		"SELECT device_id, id FROM device INDEXED BY device_address"                       \
		" WHERE device_id = ?1 AND ifnull(id_context, 0) > ?2"                             \
		" ORDER BY ifnull(id_context, 0)")                                                 \
	X(CHECK_ADDRESSES,                                                                         \
		"SELECT device_id, id FROM device INDEXED BY device_address"                       \
		" WHERE device_id > ?1 ORDER BY device_id, ifnull(id_context, 0)")                 \
	X(CHECK_KEYS,                                                                              \
		"SELECT hash, device, device IS NOT NULL OR tag IS " STORE_TOMBSTONE_TAG           \
		" FROM used_key WHERE hash > ?1 ORDER BY hash")                                    \
	X(CHECK_WINDOWS, "SELECT device, tag FROM window WHERE device > ?1 ORDER BY device")       \
	X(KEYS_BEHIND,                                                                             \
		"SELECT hash, device, run, mark, device IS NOT NULL OR tag "                       \
		"IS " STORE_TOMBSTONE_TAG " FROM used_key WHERE hash > ?1 ORDER BY hash")          \
	X(KEY_FIND,                                                                                \
		"SELECT device, run, mark, device IS NOT NULL OR tag IS " STORE_TOMBSTONE_TAG      \
		" FROM used_key WHERE hash = ?1")                                                  \
	X(KEY_PUT,                                                                                 \
		"INSERT OR REPLACE INTO used_key (hash, device, run, mark, tag) VALUES (?1, ?2,"   \
		" ?3, ?4, CASE WHEN ?2 IS NULL THEN state_tag('tombstone', ?1, ?3, ?4) END)")      \
	X(META_AGAIN, "SELECT commits, run, hour, hour_runs FROM meta")                            \
	X(META_COMMIT,                                                                             \
		"UPDATE meta SET commits = ?1,"                                                    \
		" tag = state_tag('meta', machine, run, clock, copy, ?1)")                         \
	X(META_RUN, "UPDATE meta SET run = ?1, hour = ?2, hour_runs = ?3")                         \
	X(META_TOKEN, "UPDATE meta SET window_token = ?1, clock = ?2")                             \
	X(META_CLOCK, "UPDATE meta SET clock = ?1")                                                \
	X(WINDOW_CLEAR, "DELETE FROM window")                                                      \
	X(WINDOW_PUT,                                                                              \
		"INSERT OR REPLACE INTO window (device, next, bits, tag)"                          \
		" VALUES (?1, ?2, ?3, ?4)")

#define STORE_STATEMENT_NAME(name, sql) SQL_##name,
enum store_statement { STORE_STATEMENTS(STORE_STATEMENT_NAME) SQL_COUNT };

#endif
