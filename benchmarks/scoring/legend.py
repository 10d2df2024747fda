"""What each column of the table says."""

from __future__ import annotations

from scoring.judging import AFTER_S, APART_S, LEARNT_S, RIVALS_LEARNT_S

LEGEND = f"""\
- **#**: number in the catalogue of scenarios; bold for those that touch telemetry, a list that is fixed in
  `scoring/cases.py`. Detection is asked for only of them.
- **cases**: recordings, each with a seed of its own, and those that failed, if any did.
- **detected**: share with an incident that opens between the onset and {AFTER_S:.0f} s after the end of the fault.
  One about telemetry counts only where telemetry broke. For a control where an incident of some kind is right: share
  with one, which is not asked for; – for a control where none is.
- **delay**: from the onset of the fault to the opening of that incident; median / 90th percentile of those
  detected.
- **onset error**: median distance of the onset that it reports from the true one.
- **false in 30 days**: incidents before the onset, and on controls those of a kind that is not right there; their
  number, then the rate with its interval. Incidents count from the start, time from the {LEARNT_S / 60:.0f}th minute
  on, when all has been learnt.
- **kind**: of those detected, the incident is of a right kind.
- **cause right**: of those detected where a right cause is among the measured series, it is named first and
  *supported*.
- **abstained**: of the same, the first cause is not *supported*, so that nothing is claimed. The rest is wrong.
- **right of claims**: of the same without the abstentions, the first cause is right.
- **false claims**: of all cases, a first cause / any cause is *supported* and false: neither a right one nor part
  of the chain from it to the signal, or named by a false incident.
- **silent**: of those detected, "silent" is said where it is true and only there.
- **segment**: of those detected that hit a part of the traffic, a reported segment is that part.
- **CPU**: mean seconds of one core a case, simulation / scan.
- **thresholds**: alert rules, each for 5 minutes: p95 of the latency, or of the time to first token, over 5 minutes
  above twice its median in the first 20 minutes; errors above 5% in 5 minutes; KV use above 95%. Detected, median
  delay, false alarms in 30 days.
- **ADWIN**: river's, delta .002, on every value of every raw series: time to first token, inter-token latency,
  latency and output length of each request, each gauge, each counter as a rate. The same three numbers. Any alarm
  counts, so that a detection says little where alarms never stop.

Alarms of these two that are less than {APART_S / 60:.0f} minutes apart are one; they and time count from the
{RIVALS_LEARNT_S / 60:.0f}th minute on. Intervals are exact ones of 95%.
"""
