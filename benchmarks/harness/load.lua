-- What wrk sends: the same script for every contestant and every work.
--
-- Arguments: the number of threads, a number for this run, the method, and the files of headers, targets and body.
-- A thread takes every so many-th target, in turn. Sixteen # in a target or at a place in the body become a number that
-- no other request has, so that names are new and no two bodies are alike.

local MARK = string.rep("#", 16)
local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local function read(path)
   local file = assert(io.open(path, "rb"))
   local content = file:read("*a")
   file:close()
   return content
end

local function split(text)
   local from, to = text:find(MARK, 1, true)
   if from then
      return text:sub(1, from - 1), text:sub(to + 1)
   end
   return text, nil
end

local run, heads, tail, body_before, body_after
local sent = 0

function init(args)
   local count, method = tonumber(args[1]), args[3]
   run = tonumber(args[2])
   tail = " HTTP/1.1\r\n" .. read(args[4]) .. "\r\n"
   body_before, body_after = split(read(args[6]))
   local all, mine = {}, {}
   for target in io.lines(args[5]) do
      local before, after = split(target)
      table.insert(all, { method .. " " .. before, after })
   end
   for index, head in ipairs(all) do
      if index % count == number then
         table.insert(mine, head)
      end
   end
   heads = #all >= count and mine or all
end

function request()
   local head = heads[sent % #heads + 1]
   sent = sent + 1
   local unique = string.format("%03d%03d%010d", run, number, sent)
   local line = head[2] and head[1] .. unique .. head[2] or head[1]
   if body_after then
      return line .. tail .. body_before .. unique .. body_after
   end
   return line .. tail .. body_before
end

function done(summary, latency, _)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, ' ..
      '"p50_us": %d, "p99_us": %d, "p999_us": %d, "max_us": %d}\n',
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max
   ))
end
