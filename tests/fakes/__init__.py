"""Fakes of web services: real HTTP servers on 127.0.0.1 that answer as the services do, and misbehave as told."""
