"""Remixes as an experiment: ingredients of another genre put into a song, one at a time and in doses."""
