-- What wrk asks: random users on random objects. Arguments: seed, objects, what stands before the id, body, file of tokens (or none).
-- Ids are those of bench/questions.py. The summary at the end is one line of JSON behind the word RESULT.

local tokens, objects, below, body = {}, 0, "", ""
function init(args)
  math.randomseed(tonumber(args[1]))
  objects, below, body = tonumber(args[2]), args[3], args[4]
  if args[5] then for line in io.lines(args[5]) do tokens[#tokens + 1] = line end end
end
function request()
  local head = "GET " .. below .. string.format("%08x", math.random(0, objects - 1)) .. "-51c5-11f0-9d4f-0242ac110002/"
    .. body .. " HTTP/1.1\r\nHost: media.example\r\nAccept: */*\r\n"
  if #tokens == 0 then return head .. "\r\n" end
  return head .. "Authorization: Bearer " .. tokens[math.random(#tokens)] .. "\r\n\r\n"
end
function done(summary, latency)
  local e = summary.errors
  print(string.format('RESULT {"requests": %d, "bytes": %d, "us": %d, "errors": %d, "p50": %f, "p99": %f}',
    summary.requests, summary.bytes, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
