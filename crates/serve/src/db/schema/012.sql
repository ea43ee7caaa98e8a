-- Throughput counts results by the moment at which a destination accepted them.
CREATE INDEX send_done ON send (done_at);
