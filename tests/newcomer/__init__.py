"""The tutorial as a newcomer goes through it: a fresh environment, the wheel, the commands as printed."""
