-- Steps of runs that failed are kept, too: in the failure, as those of a success are in its result.
DROP INDEX runs_succeeded;
CREATE INDEX runs_done ON runs (org, finished_at, id) WHERE status IN ('succeeded', 'failed');
