"""For every test: how hypothesis behaves on machines that are busy with other things."""

from hypothesis import HealthCheck, settings

# A deadline per example measures the machine, not the code: two cores shared by many workers miss it now and then.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
