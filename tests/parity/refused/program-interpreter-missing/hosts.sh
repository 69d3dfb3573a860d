#!/no/such/interpreter
import json
