"""The compiled search on all rows and on replicates."""

from __future__ import annotations

from pyvalue import _core
from pyvalue.discovery.bootstrap import frequencies_of, notes_on_replicates, run_bootstrap
from pyvalue.discovery.choice import make_source
from pyvalue.discovery.options import COLLIDER_PRIORITIES, COLLIDER_RULES, BootstrapOptions, SearchOptions
from pyvalue.discovery.progress import ProgressOption, search_progress
from pyvalue.discovery.study import Found, Study
from pyvalue.engines import RayEngine
from pyvalue.errors import NumericsError
from pyvalue.separating_sets import SeparatingSets


def run(
    study: Study,
    search: SearchOptions,
    replicates: BootstrapOptions,
    progress: ProgressOption,
    engine: RayEngine | None = None,
) -> Found:
    """PC on the study's rows, and on replicates where they were asked for: here, or on a cluster.

    Raises:
        NumericsError: a test had no answer on all rows, or the user's own test failed.
    """
    try:
        return _run(study, search, replicates, progress, engine)
    except _core.TestFailure as failure:
        error = _explained(study, failure)
        raise error from error.__cause__


def _run(
    study: Study,
    search: SearchOptions,
    replicates: BootstrapOptions,
    progress: ProgressOption,
    engine: RayEngine | None,
) -> Found:
    columns, correlation = study.data.columns, study.data.correlation
    is_pearson = study.test == "fisherz" and correlation is not None
    source = None if is_pearson and study.replication is None else make_source(study.test, columns)
    if is_pearson and correlation is not None:
        test = _core.fisher_z(correlation, study.rows.n, search.alpha, study.rows.shares)
    else:
        assert source is not None
        test = source.test(study.rows.n, search.alpha, study.rows.shares)
    forbidden, required = study.flags or (None, None)
    with search_progress(progress, columns.d) as report:
        marks, sets, _, singular, rounds = _core.pc(
            test,
            search.max_depth,
            COLLIDER_RULES[search.uc_rule],
            COLLIDER_PRIORITIES[search.uc_priority],
            forbidden,
            required,
            search.threads,
            report,
        )
    if singular:
        raise NumericsError(
            f"{singular} tests had no answer (a singular matrix, or too few complete rows), with {columns.d} values "
            f"and {columns.n} rows; drop values" + (f", or pass max_depth below {rounds - 1}" if rounds > 1 else "")
        )
    named = SeparatingSets(columns.names, *sets)
    if study.replication is None or source is None:
        return Found(marks, named)
    repairs = source.repairs if isinstance(source, _core.CorrelationSource) else 0
    if engine is None:
        counted = run_bootstrap(source, study.replication, search, replicates, study.flags, progress)
    else:
        from pyvalue.discovery.ray_bootstrap import count_on_ray

        counted = count_on_ray(engine, study, search, replicates, progress)
    frequencies, graphs = frequencies_of(counted, replicates)
    notes = notes_on_replicates(frequencies, columns.names)
    if repairs := repairs + counted.repairs:
        notes.append(
            f"{repairs} matrices of {study.test} correlations were not positive definite and were replaced by "
            "the nearest correlation matrix"
        )
    return Found(marks, named, frequencies, graphs, tuple(notes))


def _explained(study: Study, failure: _core.TestFailure) -> NumericsError:
    from pyvalue.discovery.custom_test import CITest, explain_failure

    test = study.test
    if not isinstance(test, CITest):
        from pyvalue.discovery.rcot import rcot

        test = rcot()
    first, second, given, x, y, z, _ = failure.args
    names = study.data.columns.names
    return explain_failure(test, x, y, z, [names[first], names[second], *(names[other] for other in given)])
