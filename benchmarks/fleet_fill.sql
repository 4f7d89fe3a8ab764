-- A fleet's store, filled by the database itself. Given are the number of devices, and of readings of each plot.

INSERT INTO devices (id, site, device, first_seen, last_seen, online) SELECT n, 's' || lpad((n % 20)::text, 2,
    '0'), 'd' || n, :now, :now, true FROM generate_series(1, :devices) n;

INSERT INTO streams (id, device_id, epoch, first_seen, last_seen, watermark, max_seq, announced_seq, received,
    repeated, unset) SELECT n, n, lpad(n::text, 32, '0'), :now, :now, 30 * :each, 30 * :each, 30 * :each, 30 *
    :each, 0, false FROM generate_series(1, :devices) n;

INSERT INTO cameras (id, device_id, name) SELECT n, n, 'top' FROM generate_series(1, :devices) n;

INSERT INTO plots (id, camera_id, name, stream_id, seq, taken_at) SELECT 30 * (n - 1) + p, n, 'R' || p, n, 30
    * (:each - 1) + p, CAST(:now AS timestamptz) FROM generate_series(1, :devices) n, generate_series(1, 30) p;

INSERT INTO observations (stream_id, seq, taken_at, plot_id, captured_at, clock_ok, repaired, monotonic_s,
    boot_id, received_at, frame_id, outcome, trait_set_id, readings, model_id, error) SELECT n, 30 * k + p, at, 30
    * (n - 1) + p, at, true, false, k, '01234567-0123-0123-0123-0123456789ab', at, k, 'measured', 1, ARRAY[p, k,
    n, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, random()]::double precision[], 1, '' FROM generate_series(0, :each
    - 1) k, generate_series(1, :devices) n, generate_series(1, 30) p, LATERAL (SELECT CAST(:now AS timestamptz) -
    make_interval(hours => CAST(:each - 1 - k AS integer)) AS at) moment;

INSERT INTO hours (stream_id, hour, received, rolled) SELECT n, date_trunc('hour', CAST(:now AS timestamptz),
    'UTC') - make_interval(hours => h), 30, 30 FROM generate_series(1, :devices) n, generate_series(0, 47) h;

INSERT INTO hourly (plot_id, kind_id, start, model_id, count, mean, m2, low, high) SELECT p, kind,
    date_trunc('hour', CAST(:yesterday AS timestamptz), 'UTC') + make_interval(hours => h), 1, 60, 10, 2, 5, 15
    FROM generate_series(1, 30 * :devices) p, generate_series(1, 12) kind, generate_series(0, 1) h;

INSERT INTO events (stream_id, seq, kind, happened_at, clock_ok, monotonic_s, boot_id, received_at, message,
    detail) SELECT n, 1000000000, 'started', :now, true, 1, 'b', :now, 'began', '{}' FROM generate_series(1,
    :devices) n;
