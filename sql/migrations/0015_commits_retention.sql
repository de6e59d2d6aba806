-- `seen` needs a commit's row as long as a time is asked for at which it was still running. So they go with the revisions that they
-- order, from the same time on; and of these none that a reader saw at that time.
CREATE OR REPLACE FUNCTION core.tidy(letter_days integer, revision_days integer, ledger_days integer) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    gone jsonb := '{}';
    n    bigint;
    -- As of any time from here on `seen` is exact: what was superseded by a transaction that still ran then was seen.
    kept_from    timestamptz := now() - make_interval(days => revision_days);
    seen_through timestamptz := v1.seen_through(kept_from);
BEGIN
    DELETE FROM core.dead_letters WHERE created_at < now() - make_interval(days => letter_days);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('dead_letters', n);
    DELETE FROM core.bar_revisions WHERE superseded_at <= seen_through;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('bar_revisions', n);
    DELETE FROM core.commits WHERE began_at <= seen_through AND committed_at <= kept_from;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('commits', n);
    DELETE FROM core.gaps WHERE ends_at < now() - make_interval(days => ledger_days) AND state <> 'open';
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('gaps', n);
    DELETE FROM core.coverage WHERE session_date < current_date - ledger_days;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('coverage', n);
    DELETE FROM core.provider_trouble WHERE ends_at < now() - make_interval(days => ledger_days);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('provider_trouble', n);
    DELETE FROM core.provider_days WHERE session_date < current_date - ledger_days;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('provider_days', n);
    DELETE FROM core.quarantine WHERE left_at < now() - make_interval(days => ledger_days);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('quarantine', n);
    DELETE FROM core.control WHERE asked_at < now() - make_interval(days => ledger_days) AND state <> 'asked';
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('control', n);
    RETURN gone;
END $$;
