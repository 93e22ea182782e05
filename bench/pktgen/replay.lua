-- SPDX-License-Identifier: BSD-3-Clause
-- For Pktgen-DPDK: sends the capture file of port 0 and ends. Its settings come from the
-- environment: COUNT frames (0: the file over and over) for at most SECONDS_ at RATE percent of the
-- link; what was sent and received is written to RESULT as one JSON object.

package.path = package.path .. ";?.lua;test/?.lua;app/?.lua"
require "Pktgen"

local count = tonumber(os.getenv("COUNT") or 0)
local seconds = tonumber(os.getenv("SECONDS_") or 10)
local rate = tonumber(os.getenv("RATE") or 100)
local result = os.getenv("RESULT") or "/dev/stderr"

pktgen.screen("off")
pktgen.set("0", "count", count)
pktgen.set("0", "rate", rate)
pktgen.clr()
pktgen.start("0")
pktgen.sleep(seconds)
pktgen.stop("0")
pktgen.sleep(1) -- for answers under way, and for the counters

local stats = pktgen.portStats("0", "port")[0]
local file = io.open(result, "w")
file:write(string.format('{"sent":%d,"received":%d,"seconds":%d}\n',
	stats.opackets, stats.ipackets, seconds))
file:close()
pktgen.quit()
